#pragma once
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/names.hpp"
#include "engine/schema.hpp"

namespace dml {

/// What a component says of itself where it registers.
struct About {
  std::string name;
  std::string summary;
  std::string paper = {};                 ///< authors, title, venue and year
  std::string details = {};               ///< formula, when to use it, departures from the paper
  std::vector<std::string> aliases = {};  ///< other names that mean this component
};

/// All named implementations of Base. Written only before main() and read-only after.
/// Base gives `static constexpr const char* kind` ("loss") and a nested type Setup.
template <class Base> class Registry {
 public:
  using Setup = typename Base::Setup;
  struct Entry {
    About about;
    std::vector<FieldInfo> fields;
    std::unique_ptr<Base> (*make)(const Settings&, const Setup&);
  };

  /// All entries by name.
  static const std::map<std::string, Entry>& entries() { return table(); }

  /// All names, sorted.
  static std::vector<std::string> names() {
    std::vector<std::string> list;
    for (const auto& [name, entry] : table()) list.push_back(name);
    return list;
  }

  /// The entry of that name or alias; hyphens, underscores and case do not matter.
  /// @throws UsageError with the nearest known name.
  static const Entry& find(const std::string& name) {
    const std::string wanted = canonical(name);
    for (const auto& [known, entry] : table()) {
      if (canonical(known) == wanted) return entry;
      for (const std::string& alias : entry.about.aliases)
        if (canonical(alias) == wanted) return entry;
    }
    throw UsageError(std::string("no ") + Base::kind + " named '" + name + "'" +
                     suggestion(name, names()));
  }

  /// Makes the component of that name. @throws UsageError for unknown names and bad settings.
  static std::unique_ptr<Base> make(const std::string& name, const Settings& settings,
                                    const Setup& setup) {
    const Entry& entry = find(name);
    try {
      return entry.make(settings, setup);
    } catch (const UsageError& error) {
      throw UsageError(std::string(Base::kind) + " '" + entry.about.name + "': " + error.what());
    }
  }

  /// Used by Register alone. Two components of one name abort at start-up.
  static void add(Entry entry) {
    const std::string name = entry.about.name;
    if (!table().emplace(name, std::move(entry)).second) {
      std::fprintf(stderr, "two components of kind %s are named '%s'\n", Base::kind, name.c_str());
      std::abort();
    }
  }

 private:
  static std::map<std::string, Entry>& table() {
    static std::map<std::string, Entry> all;
    return all;
  }
};

/// A namespace-scope constant of this type makes T selectable by name. T has a nested aggregate
/// Options with `static constexpr std::tuple fields` and a constructor (Options, const Setup&).
template <class Base, class T> struct Register {
  explicit Register(About about) {
    Registry<Base>::add(
        {std::move(about), describe<typename T::Options>(),
         [](const Settings& settings, const typename Base::Setup& setup) -> std::unique_ptr<Base> {
           return std::make_unique<T>(read<typename T::Options>(settings), setup);
         }});
  }
};

/// A component of kind Base inside the options of another one:
///   Nested distance{"lp", {{"power", "2"}}};
///   ... nested<Distance>("distance", &Options::distance, "how far two embeddings are apart")
/// make_nested makes it.
template <class Base, class Options>
constexpr NestedField<Options> nested(const char* name, Nested Options::*member, const char* help) {
  return {name, member, help,
          [](const std::string& chosen) { return Registry<Base>::find(chosen).fields; }};
}

/// The component that `choice` names; null for none. @throws UsageError as Registry::make.
template <class Base>
std::unique_ptr<Base> make_nested(const Nested& choice, const typename Base::Setup& setup) {
  if (choice.name.empty()) return nullptr;
  return Registry<Base>::make(choice.name, choice.settings, setup);
}

}  // namespace dml

#include "weights_convert/mapping.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "weights_convert/tree.hpp"

namespace dml::weights {
namespace {

constexpr const char* head_names[] = {"fc", "last_linear", "classifier"};
constexpr std::string_view counter = "num_batches_tracked";

bool is_counter(const std::string& name) {
  return name.size() >= counter.size() &&
         name.compare(name.size() - counter.size(), counter.size(), counter) == 0;
}

/// Whether a shape is the wanted one, in which -1 stands for any size.
bool matches(const Shape& shape, const Shape& wanted) {
  return shape.size() == wanted.size() &&
         std::equal(shape.begin(), shape.end(), wanted.begin(),
                    [](std::int64_t a, std::int64_t b) { return a == b || b == -1; });
}

/// Whether a name is that of a classifier, of any source.
bool is_head(const std::string& name) {
  return std::any_of(std::begin(head_names), std::end(head_names), [&](const char* head) {
    return name == std::string(head) + ".weight" || name == std::string(head) + ".bias";
  });
}

/// Gives the classifier of the file the name that the net has for it.
void rename_head(Draft& draft, const NetTarget& net) {
  if (draft.find(net.classifier + ".weight") != nullptr) return;
  for (const char* head : head_names) {
    const Tensor* weight = draft.find(std::string(head) + ".weight");
    const bool fits = weight != nullptr && weight->rank() == 2 && weight->dim(1) == net.width;
    if (!fits || draft.wanted(std::string(head) + ".weight") != nullptr) continue;
    for (std::size_t i = 0; i < draft.tensors().size(); ++i)
      for (const char* part : {".weight", ".bias"})
        if (draft.tensors()[i].first == std::string(head) + part)
          draft.rename(i, net.classifier + part);
    return;
  }
}

/// Sorts the tensors of a draft into what fits and what does not.
class Matcher {
 public:
  Matcher(const Draft& draft, const NetTarget& net) : draft_(draft), net_(net) {}

  Mapping run() {
    for (const WantedTensor& one : net_.tensors) take(one, true);
    for (const WantedTensor& one : net_.optional) take(one, false);
    for (const auto& [name, tensor] : draft_.tensors())
      if (draft_.wanted(name) == nullptr) take_other(name, tensor);
    find_absent_stages();
    result_.merged = draft_.merged();
    return std::move(result_);
  }

 private:
  void take(const WantedTensor& wanted, bool needed) {
    const Tensor* tensor = draft_.find(wanted.name);
    if (tensor == nullptr) {
      if (needed && !is_counter(wanted.name)) result_.missing.push_back(wanted.name);
    } else if (matches(tensor->shape(), wanted.shape)) {
      result_.tensors.emplace_back(wanted.name, *tensor);
    } else {
      result_.misfits.push_back({wanted.name, tensor->shape(), wanted.shape});
    }
  }

  void take_other(const std::string& name, const Tensor& tensor) {
    if (!is_head(name)) {
      result_.extra.push_back(name);
      return;
    }
    const std::int64_t classes = net_.classes > 0 ? net_.classes : -1;
    const Shape wanted = name == net_.classifier + ".weight" ? Shape{classes, net_.width}
                         : name == net_.classifier + ".bias" ? Shape{classes}
                                                             : Shape{};
    if (!wanted.empty() && matches(tensor.shape(), wanted)) {
      result_.tensors.emplace_back(name, tensor);
    } else {
      result_.kept_out.push_back({name, tensor.shape(), wanted});
    }
  }

  /// Tells a file that ends early from one with holes: walks the stages from the end.
  void find_absent_stages() {
    if (result_.missing.empty() || result_.tensors.empty()) return;
    std::vector<std::string> stages;
    for (const WantedTensor& one : net_.tensors)
      if (stages.empty() || stages.back() != one.stage) stages.push_back(one.stage);
    const auto there = [&](const WantedTensor& one) { return draft_.find(one.name) != nullptr; };
    std::size_t end = stages.size();
    while (end > 0 && std::none_of(net_.tensors.begin(), net_.tensors.end(), [&](const auto& one) {
             return one.stage == stages[end - 1] && there(one);
           }))
      --end;
    if (end == stages.size() || end == 0) return;
    result_.last_stage = stages[end - 1];
    result_.absent.assign(stages.begin() + static_cast<std::ptrdiff_t>(end), stages.end());
    std::erase_if(result_.missing, [&](const std::string& name) {
      const auto one = std::find_if(net_.tensors.begin(), net_.tensors.end(),
                                    [&](const auto& wanted) { return wanted.name == name; });
      return std::find(result_.absent.begin(), result_.absent.end(), one->stage) !=
             result_.absent.end();
    });
  }

  const Draft& draft_;
  const NetTarget& net_;
  Mapping result_;
};

/// A tensor's name and what is to be said of it.
using Line = std::pair<std::string, std::string>;

/// At most `most` of the items, and how many more there are.
template <class Items, class Fn>
void add_lines(std::vector<Line>& lines, const Items& items, std::size_t most, Fn&& line) {
  for (std::size_t i = 0; i < std::min(most, items.size()); ++i) lines.push_back(line(items[i]));
  if (items.size() > most)
    lines.emplace_back("...", fmt::format("and {} more", items.size() - most));
}

Line shape_line(const Mapping::Misfit& one, const char* remark) {
  const std::string net = one.net.empty() ? "net has none" : "net " + to_string(one.net);
  return {shown(one.name), fmt::format("file {}, {}{}", to_string(one.file), net, remark)};
}

/// Names in one column, remarks in the next.
std::string table(const std::vector<Line>& lines) {
  std::size_t width = 0;
  for (const auto& [name, remark] : lines) width = std::max(width, name.size());
  std::vector<std::string> rows;
  for (const auto& [name, remark] : lines)
    rows.push_back(fmt::format("  {:<{}}  {}", name, width, remark));
  return fmt::format("{}", fmt::join(rows, "\n"));
}

}  // namespace

std::string Mapping::problems(std::size_t most) const {
  std::vector<Line> lines;
  add_lines(lines, misfits, most, [](const Misfit& one) { return shape_line(one, ""); });
  add_lines(lines, missing, most,
            [](const std::string& name) { return Line(name, "missing in the file"); });
  add_lines(lines, extra, most,
            [](const std::string& name) { return Line(shown(name), "not in the net"); });
  return table(lines);
}

std::string Mapping::remarks(std::size_t most) const {
  std::vector<Line> lines;
  add_lines(lines, kept_out, most,
            [](const Misfit& one) { return shape_line(one, "  -> kept out (classifier)"); });
  std::string text = table(lines);
  const auto add = [&](const std::string& line) { text += (text.empty() ? "  " : "\n  ") + line; };
  if (!absent.empty())
    add(fmt::format("the file ends after {}; {} {} absent and will be initialised", last_stage,
                    fmt::join(absent, ", "), absent.size() == 1 ? "is" : "are"));
  if (!merged.empty())
    add(fmt::format("{} tensors are there twice; taken once ({}{})", merged.size(),
                    shown(merged[0]), merged.size() > 1 ? ", ..." : ""));
  return text;
}

Mapping map_onto(NamedTensors tensors, const NetTarget& net, const std::string& source) {
  const std::size_t given = tensors.size();
  Draft draft(std::move(tensors), &net);
  apply_rules(source, draft);
  rename_head(draft, net);
  Mapping result = Matcher(draft, net).run();
  result.given = given;
  return result;
}

}  // namespace dml::weights

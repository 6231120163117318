#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/safetensors.hpp"
#include "engine/tape.hpp"

namespace dml::golden {

/// One reference case: a file of tensors `in.*`, `param.*`, `out.*`, `grad.*` and a table of texts.
class Case {
 public:
  /// Reads a file. @throws DataError, FormatError.
  static Case read(const std::filesystem::path& file);

  const std::filesystem::path& file() const { return file_; }
  /// The definition's name, from the metadata; empty when the file states none.
  std::string op() const { return contents_.text("op"); }
  /// "folder/name" as printed.
  std::string name() const;

  bool has(const std::string& tensor) const { return contents_.find(tensor) != nullptr; }
  /// The tensor of that full name ("in.x"), as stored. @throws FormatError when absent.
  const Tensor& at(const std::string& tensor) const { return contents_.at(tensor); }
  const SafeTensors& contents() const { return contents_; }
  /// All tensor names that begin with prefix, in the order of the file.
  std::vector<std::string> names(const std::string& prefix) const;

  /// Whether the metadata has the key.
  bool says(const std::string& key) const { return contents_.metadata.contains(key); }
  /// Metadata as text; without a fallback the key must be there. @throws FormatError.
  std::string text(const std::string& key) const;
  std::string text(const std::string& key, const std::string& fallback) const;
  /// Metadata as a number, as a truth value (True, true, 1), and as a list ("(1, 2)", "1,2").
  double number(const std::string& key) const;
  double number(const std::string& key, double fallback) const;
  std::int64_t integer(const std::string& key) const;
  std::int64_t integer(const std::string& key, std::int64_t fallback) const;
  bool flag(const std::string& key, bool fallback = false) const;
  std::vector<double> numbers(const std::string& key) const;
  std::vector<std::int64_t> integers(const std::string& key) const;

  /// The largest absolute error of the reference's own f32 run for that tensor; negative when the
  /// file gives none.
  double f32_error(const std::string& tensor) const;

 private:
  std::filesystem::path file_;
  SafeTensors contents_;
};

/// How far an f32 result may be from the file, in place of the rule of compare.hpp. f64 results
/// have no such freedom.
struct Loose {
  double relative;              ///< of the largest absolute element, or of the L2 norm
  bool l2 = false;              ///< compare L2 norms: ||got - want|| <= relative * ||want||
  const char* reason;           ///< why the rule does not fit; must not be empty
  std::vector<double> slack{};  ///< for each element, what it may be off besides; or empty
};

/// One computation of a case on one device in one precision. A handler takes its inputs from here
/// and hands its results back; every `out.*` and `grad.*` of the file must be given.
class Run {
 public:
  Run(const Case& given, Device& device, DType type);

  const Case& given() const { return given_; }
  Device& device() const { return device_; }
  /// f32 or f64.
  DType type() const { return type_; }
  /// The training tape on which variable(), constant() and the like live.
  Tape& tape() const { return *tape_; }

  /// The tensor of that full name on the host: floats converted to type(), integers as they are.
  Tensor tensor(const std::string& full_name) const;
  /// in.<name> or param.<name> as a value outside the differentiation.
  Var constant(const std::string& name) const;
  /// in.<name> or param.<name> as a variable; finish() hands in its gradient as grad.<name>.
  Var variable(const std::string& name);
  /// The same for a map or convolution weight: [n, c, h, w] in the file, [n, h, w, c] here.
  Var map(const std::string& name);

  /// A result that is out.<name>. Its upstream gradient is in.gout.<name>, if the file has it.
  void output(const std::string& name, const Var& y);
  /// The same for a map: [n, h, w, c] here, [n, c, h, w] in the file.
  void output_map(const std::string& name, const Var& y);
  /// A result that is out.<name>, one number, whose gradient the file's grad.* are.
  void loss(const Var& y, const std::string& name = "loss");
  /// Any result by its full name ("out.order", "grad.w"), in the file's layout, on any device.
  void give(const std::string& full_name, const Tensor& result);
  /// A list of numbers, or one number.
  void give(const std::string& full_name, std::vector<double> values);
  /// Another f32 tolerance for a tensor. Needs a reason that holds for every case of the op.
  void loosen(const std::string& full_name, Loose loose) { loose_[full_name] = loose; }
  /// A tensor that states nothing about the definition (an intermediate of the published code).
  void ignore(const std::string& full_name, const std::string& reason);

  /// Runs the backward pass and hands in the gradients. Called after the handler.
  void finish();

  /// What was given, by full name, on the host.
  const std::map<std::string, Tensor>& results() const { return results_; }
  const std::map<std::string, Loose>& loosened() const { return loose_; }
  const std::map<std::string, std::string>& ignored() const { return ignored_; }

 private:
  std::string stored(const std::string& name) const;
  Var make(const std::string& name, bool map);
  void keep(const std::string& name, const Var& y, bool map);

  const Case& given_;
  Device& device_;
  DType type_;
  std::shared_ptr<Tape> tape_;
  struct Leaf {
    std::string name;
    Var variable;
    bool map;
  };
  std::vector<Leaf> leaves_;
  std::vector<std::pair<Var, Tensor>> upstream_;
  double inner_product_ = 0;  // sum of outputs times upstream gradients
  std::map<std::string, Tensor> results_;
  std::map<std::string, Loose> loose_;
  std::map<std::string, std::string> ignored_;
};

/// Computes one case: takes inputs from the run and gives its results.
using Handler = std::function<void(Run&)>;

/// All handlers by (folder, op). Written before main() alone.
std::map<std::pair<std::string, std::string>, Handler>& handlers();

/// A namespace-scope constant of this type makes a definition known to the runner.
struct AddGolden {
  AddGolden(const std::string& folder, const std::string& op, Handler handler);
};

/// [n, c, h, w] -> [n, h, w, c] and back, on the host.
Tensor to_channels_last(const Tensor& x);
Tensor to_channels_first(const Tensor& x);

}  // namespace dml::golden

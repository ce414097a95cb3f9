#pragma once
// What every answer carries besides its numbers: the labels of the input as obs columns, which
// genes the input had, where the answer came from.
#include <map>
#include <string>
#include <vector>

#include "infer/input.h"
#include "infer/result_file.h"

namespace cellmill::infer {

class LabelColumns {
 public:
  explicit LabelColumns(const Input& input);
  void add(const Cells& cells);
  /// One categorical column a field that the input has, in the model's order, in its own texts.
  std::vector<Column> columns() const;

 private:
  std::vector<data::Field> fields_;
  std::vector<bool> present_;
  std::vector<std::vector<std::int32_t>> codes_;
};

/// A copy of the batch on a device; `cells` stay on the host.
data::Batch on_device(data::Batch batch, c10::Device device);

struct LoadedModel;
/// What every answer says of its origin: command, checkpoint, step, input.
std::map<std::string, std::string> origin_facts(const std::string& command,
                                                const LoadedModel& loaded,
                                                const std::string& input);
/// var column "in_input": which genes of the model the input has.
Column in_input(const Input& input, const data::Vocabulary& model);

}  // namespace cellmill::infer

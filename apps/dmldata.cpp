#include "apps/app.hpp"
#include "apps/common/interrupt.hpp"
#include "apps/datasets/commands.hpp"

namespace {

/// A command with its arguments and what it does.
struct Command {
  CLI::App* app;
  int (*run)(const dml::DataOptions&, const dml::Terminal&);
};

void add_set(CLI::App& command, dml::DataOptions& options) {
  command
      .add_option("--set", options.settings,
                  "an option of the dataset, as in --set dataset.train_classes=41")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->take_all();
}

void add_place(CLI::App& command, dml::DataOptions& options) {
  command.add_option("NAME", options.name, "a dataset out of dmldata list")->required();
  command.add_option("DIR", options.folder, "its folder; $DML_DATA_DIR or ./data without");
  add_set(command, options);
}

void add_output(CLI::App& command, dml::DataOptions& options, const char* help) {
  command.add_option("-o,--output", options.output, help)->type_name("FILE.csv");
}

void add_prepare(CLI::App& command, dml::DataOptions& options) {
  command.add_option("NAME", options.name, "a dataset out of dmldata list")->required();
  command
      .add_option(
          "ARCHIVES", options.archives,
          "ARCHIVE... DIR: .tgz, .tar, .zip, or single files that belong to it, and at last "
          "the folder to unpack into")
      ->required()
      ->expected(2, -1);
  add_set(command, options);
}

void add_import(CLI::App& command, dml::DataOptions& options) {
  command
      .add_option("INPUT", options.input,
                  "a folder with one sub-folder of images per class, or a CSV list")
      ->required();
  add_output(command, options, "the list to write: path,label,split ...");
  command
      .add_option("--split-by", options.split_by,
                  "class:0.5: this share of the classes, by name, trains, the others test")
      ->type_name("class:SHARE");
}

void add_sample(CLI::App& command, dml::DataOptions& options) {
  command.add_option("NAME", options.name, "a dataset out of dmldata list")->required();
  command.add_option("DIR", options.folder, "its folder")->required();
  command.add_option("N", options.count, "how many images")
      ->required()
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 40).description(""));
  command
      .add_option("--images-per-class", options.images_per_class,
                  "so many of each class, of as many classes as make N; 0: no matter which")
      ->type_name("N")
      ->check(CLI::Range(0, 1 << 30).description(""))
      ->capture_default_str();
  command.add_option("--seed", options.seed, "another seed chooses others")
      ->type_name("N")
      ->capture_default_str();
  add_output(command, options, "also write them as a list for --dataset folder");
  add_set(command, options);
}

void add_duplicates(CLI::App& command, dml::DataOptions& options) {
  add_place(command, options);
  command
      .add_option("--distance", options.most_apart,
                  "of 128 marks of a picture, so many may differ in near duplicates")
      ->type_name("N")
      ->check(CLI::Range(0, 32).description(""))
      ->capture_default_str();
  add_output(command, options, "also write all pairs into a file");
}

std::vector<Command> add_commands(CLI::App& app, dml::DataOptions& options) {
  app.require_subcommand(1);
  std::vector<Command> commands;
  const auto add = [&](const char* name, const char* help, auto run) -> CLI::App& {
    CLI::App* command = app.add_subcommand(name, help);
    commands.push_back({command, run});
    return *command;
  };
  add("list", "the datasets that can be read",
      [](const dml::DataOptions&, const dml::Terminal& terminal) {
        return dml::list_datasets(terminal);
      });
  CLI::App& verify =
      add("verify", "counts, unreadable files, exact duplicates, fingerprint", dml::verify_dataset);
  add_place(verify, options);
  verify.add_flag("--deep,!--no-deep", options.deep, "decode every pixel, not the heads");
  verify
      .add_option("--fix-report", options.report,
                  "writes a CSV with a row for each file to be fixed")
      ->type_name("FILE");
  add_place(add("stats", "images per class, sizes of images", dml::print_dataset_stats), options);
  add_prepare(
      add("prepare", "unpacks published archives and verifies what came out", dml::prepare_dataset),
      options);
  add_import(
      add("import", "makes a list of one's own images: path,label,split", dml::import_images),
      options);
  add_sample(add("sample", "some images at random, always the same ones", dml::sample_dataset),
             options);
  add_duplicates(add("duplicates", "equal and nearly equal pictures, across splits first",
                     dml::find_duplicates),
                 options);
  return commands;
}

}  // namespace

int main(int argc, char** argv) {
  dml::DataOptions options;
  std::vector<Command> commands;
  return dml::run_tool(
      argc, argv,
      {.name = "dmldata",
       .summary = "lists, checks, counts and prepares datasets",
       .examples = {"dmldata list", "dmldata verify cub200 data --deep",
                    "dmldata stats folder photos --json",
                    "dmldata prepare cub200 CUB_200_2011.tgz data",
                    "dmldata import photos -o photos/manifest.csv --split-by class:0.5",
                    "dmldata duplicates cub200 data"},
       .flags = [&](CLI::App& app) { commands = add_commands(app, options); },
       .run =
           [&](const dml::Terminal& terminal) {
             dml::listen_for_interrupts();
             for (const Command& command : commands)
               if (command.app->parsed()) return command.run(options, terminal);
             return static_cast<int>(dml::exit_usage);
           }});
}

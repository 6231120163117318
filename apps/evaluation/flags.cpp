#include "apps/evaluation/flags.hpp"

#include <fmt/format.h>

#include "engine/config.hpp"
#include "engine/names.hpp"

namespace dml {

void EvaluationFlags::add_to(CLI::App& app) {
  add_model_flags(app);
  add_measure_flags(app);
  add_output_flags(app);
}

void EvaluationFlags::add_model_flags(CLI::App& app) {
  app.add_option("INPUT", input, "folder of a run or of many, checkpoint, or converted weights");
  app.add_option("--net", net, "the net, where the weights do not say it")->type_name("NAME");
  app.add_option("--checkpoint", checkpoint, "which one of a run: best, last")
      ->type_name("NAME")
      ->capture_default_str();
  app.add_option("--dataset", dataset, "a dataset out of dmltrain --list datasets")
      ->type_name("NAME");
  app.add_option("--data-dir", data_dir, "its folder; $DML_DATA_DIR or ./data without")
      ->type_name("DIR");
  app.add_option("--set", set, "an option of the dataset, as in --set dataset.train_classes=41")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->take_all();
  app.add_option("--split", split, "test, train, validation")
      ->type_name("NAME")
      ->capture_default_str();
  app.add_option(
         "--on-bad-image", on_bad_image,
         "fail: the first image that cannot be read ends the run; skip: those that cannot be "
         "read are named and left out")
      ->type_name("{fail,skip}")
      ->capture_default_str();
  app.add_option("--features", features,
                 "an inner stage of the net, pooled, in place of the embedding")
      ->type_name("STAGE");
  app.add_option("--image-size", image_size, "side of the centre crop, pixels")->type_name("N");
  app.add_option("--resize", resize, "shorter side before the crop, pixels")->type_name("N");
  app.add_option("-b,--batch-size", batch_size, "images at once")
      ->type_name("N")
      ->check(CLI::Range(1, 65536).description(""));
  app.add_option("-j,--workers", workers, "threads that read images")
      ->type_name("N")
      ->check(CLI::Range(0, 256).description(""));
  app.add_option("--embeddings", files.embeddings, "embeddings in place of images and net")
      ->type_name("FILE.npy");
  app.add_option("--labels", files.labels, "their classes: .npy, or one whole number a line")
      ->type_name("FILE");
  app.add_option(
         "--queries", queries,
         "what is searched for: row numbers from 0 (.npy, or one a line), or paths below the "
         "folder of the dataset; all without it")
      ->type_name("FILE");
  app.add_option("--gallery", gallery, "what can be found, likewise")->type_name("FILE");
  app.add_option("--gallery-embeddings", files.gallery_embeddings,
                 "what can be found, where it is not --embeddings")
      ->type_name("FILE.npy");
  app.add_option("--gallery-labels", files.gallery_labels, "the classes of the gallery")
      ->type_name("FILE");
  app.add_flag("--gallery-begins-with-queries,!--no-gallery-begins-with-queries",
               files.gallery_begins_with_queries,
               "the first rows of the gallery are the queries, which do not find themselves");
}

void EvaluationFlags::add_measure_flags(CLI::App& app) {
  const auto number = [&app](const char* name, std::int64_t& value, const char* help, int low) {
    app.add_option(name, value, help)
        ->type_name("N")
        ->check(CLI::Range(low, 1 << 30).description(""))
        ->capture_default_str();
  };
  const auto word = [&app](const char* name, std::string& value, const char* help) {
    app.add_option(name, value, help)->type_name("NAME")->capture_default_str();
  };
  app.add_option("--metrics", metrics, "what is measured (--list metrics)")
      ->type_name("LIST")
      ->capture_default_str();
  word("--distance", distance, "cosine or euclidean");
  word("--exclude", exclude,
       "what of a query in its own gallery is left out: query (by its index) or first (the first "
       "neighbour, as code does that cuts off a column)");
  word("--average", average, "means over queries or classes");
  number("--kmeans-clusters", kmeans.clusters, "clusters behind NMI; 0: as many as classes", 0);
  number("--kmeans-iterations", kmeans.iterations, "of each run of k-means", 1);
  number("--kmeans-restarts", kmeans.restarts, "runs of k-means, the best is kept", 1);
  number("--kmeans-seed", kmeans.seed, "of the first centres", 0);
  word("--rerank", rerank, "k_reciprocal orders neighbours anew before they are measured; none");
  number("--rerank-k1", reranking.k1, "neighbours that must be mutual", 1);
  number("--rerank-k2", reranking.k2, "neighbours whose encodings are averaged", 1);
  app.add_option("--rerank-lambda", reranking.lambda, "weight of the original distance")
      ->type_name("X")
      ->check(CLI::Range(0.0, 1.0).description(""))
      ->capture_default_str();
}

void EvaluationFlags::add_output_flags(CLI::App& app) {
  app.add_option("--require", require,
                 "exit 5 below this, as in recall@1=0.66 (above it, where lower is better)")
      ->type_name("METRIC=VALUE")
      ->expected(1)
      ->take_all();
  app.add_flag("--per-class,!--no-per-class", per_class, "with --json: the mean of every class");
  app.add_option("--save-embeddings", save_embeddings, "writes the embeddings")
      ->type_name("FILE.npy");
  app.add_option("--save-neighbours", save_neighbours,
                 "writes the places in the gallery of the neighbours of every query")
      ->type_name("FILE.npy");
  app.add_option("--neighbours", neighbours, "how many of each")
      ->type_name("N")
      ->check(CLI::Range(1, 1 << 30).description(""));
  app.add_option("--list", list, "names and summaries, as in --list metrics")->type_name("WHAT");
}

std::vector<EvaluationFlags::Required> EvaluationFlags::required() const {
  std::vector<Required> all;
  for (const std::string& text : require) {
    const std::size_t equals = text.rfind('=');
    if (equals == std::string::npos)
      throw UsageError("--require wants METRIC=VALUE, as in recall@1=0.66; found '" + text + "'");
    const std::string metric = text.substr(0, equals);
    const Range range = make_metric(metric)->is_share() ? Range{0, 1} : Range{};
    double value = 0;
    schema::assign({"--require " + metric, "number", "", "", range, ""}, text.substr(equals + 1),
                   value);
    all.push_back({metric, value});
  }
  return all;
}

std::string EvaluationFlags::all_metrics() const {
  std::string all = metrics;
  for (const Required& one : required())
    if (("," + all + ",").find("," + one.metric + ",") == std::string::npos)
      all += "," + one.metric;
  return all;
}

EvaluateOptions EvaluationFlags::how() const {
  EvaluateOptions options{.distance = distance_of(distance),
                          .exclude = exclude_of(exclude),
                          .average = average_of(average),
                          .neighbours = neighbours,
                          .kmeans = kmeans};
  if (!save_neighbours.empty() && neighbours == 0) options.neighbours = 10;
  if (canonical(rerank) == canonical("k_reciprocal")) {
    options.rerank = reranking;
  } else if (rerank != "none") {
    throw UsageError("--rerank is k_reciprocal or none, not '" + rerank + "'");
  }
  return options;
}

bool EvaluationFlags::skips_bad_images() const {
  const std::string word = canonical(on_bad_image);
  if (word != "fail" && word != "skip")
    throw UsageError("--on-bad-image: '" + on_bad_image + "' is not a choice" +
                     suggestion(on_bad_image, {"fail", "skip"}));
  return word == "skip";
}

void EvaluationFlags::choose_rows(RetrievalSet& set, const std::vector<std::string>& names) const {
  if (queries.empty() && gallery.empty()) return;
  if (!files.gallery_embeddings.empty())
    throw UsageError(
        "--queries and --gallery choose among --embeddings; with --gallery-embeddings "
        "the queries are all of the former, the gallery all of the latter");
  const std::int64_t count = set.embeddings.dim(0);
  if (!queries.empty()) set.queries = read_rows(queries, count, names);
  if (!gallery.empty()) set.gallery = read_rows(gallery, count, names);
}

std::string EvaluationFlags::missed(const Figures& figures) const {
  std::string lines;
  for (const Required& one : required()) {
    const double value = figure(figures, one.metric, 0);
    const bool larger = make_metric(one.metric)->larger_is_better();
    const bool reached = larger ? value >= one.value : value <= one.value;
    if (!reached)
      lines += fmt::format("{}{} is {:.4f}, {}{} is required", lines.empty() ? "" : "\n",
                           one.metric, value, larger ? "" : "at most ", one.value);
  }
  return lines;
}

}  // namespace dml

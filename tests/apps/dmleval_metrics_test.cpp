#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "dml/metric.hpp"
#include "engine/file.hpp"
#include "engine/npy.hpp"
#include "tests/apps/process.hpp"

using namespace dml::test;
namespace fs = std::filesystem;

namespace {

/// Twelve points of three classes on a line, and files of them.
struct Line {
  TempFolder folder;
  std::string x = (folder / "x.npy").string(), y = (folder / "y.npy").string();

  Line() {
    dml::Tensor points = dml::Tensor::empty({12, 2}, dml::DType::f32);
    std::vector<std::int64_t> labels;
    for (std::int64_t i = 0; i < 12; ++i) {
      points.raw<float>()[2 * i] = static_cast<float>(i);
      points.raw<float>()[2 * i + 1] = 1;
      labels.push_back(i / 4);
    }
    dml::write_npy(x, points);
    dml::write_npy(y, dml::Tensor::of<std::int64_t>({12}, labels));
  }
  Outcome eval(std::vector<std::string> more) const {
    more.insert(more.begin(), {"--embeddings", x, "--labels", y, "--distance", "euclidean"});
    return run("dmleval", more);
  }
};

}  // namespace

TEST_CASE("dmleval: every metric that is registered gives a figure and states its protocol") {
  const Line line;
  std::string list;
  for (const std::string& name : dml::Registry<dml::Metric>::names()) list += name + ",";
  const Outcome outcome = line.eval({"--metrics", list, "--json"});
  REQUIRE_MESSAGE(outcome.status == 0, outcome.err);
  const auto result = nlohmann::json::parse(outcome.out);
  for (const std::string& name : dml::Registry<dml::Metric>::names()) {
    CAPTURE(name);
    CHECK(result["metrics"][name].is_number());
  }
  CHECK(result["protocol"]["metric MAP@R"].get<std::string>().find("left out") !=
        std::string::npos);
  CHECK(result["protocol"]["kmeans_clusters"] == "3");
  const Outcome text = line.eval({"--metrics", "map@r,nmi", "--kmeans-clusters", "4",
                                  "--kmeans-restarts", "2", "--kmeans-seed", "7"});
  CHECK(text.out.find("kmeans_clusters: 4") != std::string::npos);
  CHECK(text.out.find("kmeans_restarts: 2") != std::string::npos);
  CHECK(text.out.find("metric MAP@R:") != std::string::npos);
}

TEST_CASE("dmleval: a gallery of its own, neighbours as a file, means of classes") {
  const Line line;
  const std::string g = (line.folder / "g.npy").string(), z = (line.folder / "z.txt").string();
  dml::write_npy(g, dml::Tensor::of<double>({3, 2}, {0.4, 1, 4.6, 1, 11, 1}));
  dml::write_file_atomically(z, "0\n1\n2\n");
  const std::string found = (line.folder / "found.npy").string();
  const Outcome outcome =
      line.eval({"--gallery-embeddings", g, "--gallery-labels", z, "--metrics", "recall@1",
                 "--json", "--save-neighbours", found, "--neighbours", "2", "--per-class"});
  REQUIRE_MESSAGE(outcome.status == 0, outcome.err);
  const auto result = nlohmann::json::parse(outcome.out);
  // Points 0, 1, 2 and 4 to 7 and 8 to 11 are nearest to 0.4, 4.6 and 11: all but 3.
  CHECK(result["metrics"]["recall@1"].get<double>() == doctest::Approx(11.0 / 12));
  CHECK(result["per_class"]["recall@1"]["0"] == 0.75);
  CHECK(result["protocol"]["gallery"] == "3");
  CHECK(result["protocol"]["self"] == "no query is in the gallery");
  const dml::Tensor neighbours = dml::read_npy(found).to(dml::DType::i64);
  CHECK(neighbours.shape() == dml::Shape{12, 2});
  CHECK(neighbours.raw<std::int64_t>()[0] == 0);
  CHECK(neighbours.raw<std::int64_t>()[1] == 1);
  CHECK(line.eval({"--gallery-embeddings", g}).status == 2);
  CHECK(line.eval({"--gallery-embeddings", g, "--gallery-labels", line.y}).status == 3);
  const Outcome classes = line.eval({"--gallery-embeddings", g, "--gallery-labels", z, "--metrics",
                                     "recall@1", "--json", "--average", "classes"});
  CHECK(nlohmann::json::parse(classes.out)["metrics"]["recall@1"].get<double>() ==
        doctest::Approx((0.75 + 1 + 1) / 3));
}

TEST_CASE("dmleval: re-ranking, what is undefined, what is required, lists and topics") {
  const Line line;
  const Outcome again = line.eval({"--metrics", "recall@1", "--rerank", "k-reciprocal",
                                   "--rerank-k1", "3", "--rerank-k2", "2", "--json"});
  REQUIRE_MESSAGE(again.status == 0, again.err);
  CHECK(nlohmann::json::parse(again.out)["protocol"]["rerank"].get<std::string>().find("k1 = 3") !=
        std::string::npos);
  CHECK(line.eval({"--rerank", "best"}).status == 2);
  CHECK(line.eval({"--exclude", "none"}).status == 2);
  CHECK(line.eval({"--metrics", "recall@1,nothing"}).status == 2);

  const std::string single = (line.folder / "single.txt").string();
  dml::write_file_atomically(single, "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n");
  const Outcome undefined = run("dmleval", {"--embeddings", line.x, "--labels", single, "--metrics",
                                            "map@r,recall@1", "--json"});
  REQUIRE_MESSAGE(undefined.status == 0, undefined.err);
  const auto result = nlohmann::json::parse(undefined.out);
  CHECK(result["metrics"]["map@r"].is_null());
  CHECK(result["metrics"]["recall@1"] == 0.0);
  CHECK(undefined.err.find("map@r is undefined") != std::string::npos);

  CHECK(line.eval({"--metrics", "alignment", "--require", "alignment=4"}).status == 0);
  CHECK(line.eval({"--metrics", "alignment", "--require", "alignment=0.000001"}).status == 5);

  const Outcome list = run("dmleval", {"--list", "metrics"});
  CHECK(list.status == 0);
  CHECK(list.out.find("map_at_r") != std::string::npos);
  const Outcome topic = run("dmleval", {"--help", "metric=map"});
  CHECK(topic.status == 0);
  CHECK(topic.out.find("map:k=0") != std::string::npos);
}

TEST_CASE("dmltrain: a metric of which less is better cannot choose the epoch") {
  const TempFolder folder;
  const Outcome outcome =
      run("dmltrain",
          tiny_training(folder / "run", {"--metrics", "alignment", "--select-by", "alignment"}));
  CHECK(outcome.status == 2);
  CHECK(outcome.err.find("less is better") != std::string::npos);
}

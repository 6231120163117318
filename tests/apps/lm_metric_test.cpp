#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/npy.hpp"
#include "tests/apps/process.hpp"

using namespace dml::test;

TEST_CASE("lm_metric: training, and retrieval through the flow by another program") {
  const TempFolder folder;
  const std::string out = (folder / "run").string();
  std::vector<std::string> arguments = tiny_training(out, {"--json"});
  std::replace(arguments.begin(), arguments.end(), std::string("group"), std::string("lm_metric"));
  std::replace(arguments.begin(), arguments.end(), std::string("loss.anchors=1"),
               std::string("loss.dim=64"));
  for (const char* value :
       {"head.dim=0", "head.pooling=both", "loss.flow_steps=1", "loss.flow_channels=4"}) {
    arguments.emplace_back("--set");
    arguments.emplace_back(value);
  }
  const Outcome training = run("dmltrain", arguments);
  REQUIRE_MESSAGE(training.status == 0, training.err);
  const auto trained = nlohmann::json::parse(training.out);
  const auto measure = [&](const std::string& batch) {
    const std::string file = (folder / ("x" + batch + ".npy")).string();
    const Outcome outcome =
        run("dmleval", {out, "--metrics", "recall@1", "--json", "--threads", "1", "--device", "cpu",
                        "--batch-size", batch, "--save-embeddings", file});
    REQUIRE_MESSAGE(outcome.status == 0, outcome.err);
    CHECK(nlohmann::json::parse(outcome.out)["metrics"]["recall@1"] ==
          trained["best"]["metrics"]["recall@1"]);
    return dml::read_npy(file);
  };
  // The embeddings are the loss's, not the pooled features, however the set is cut.
  const dml::Tensor a = measure("5"), b = measure("32");
  REQUIRE(a.dim(1) == 64);
  for (std::int64_t i = 0; i < a.size(); ++i)
    CHECK(a.raw<float>()[i] == doctest::Approx(b.raw<float>()[i]).epsilon(1e-4).scale(1));
}

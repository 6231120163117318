// The criteria of Revisiting-DML that look at the whole batch, with nothing to choose but
// positives.
#include "dml/revisiting/mined_loss.hpp"
#include "dml/revisiting/paper.hpp"
#include "ops/arithmetic.hpp"

namespace dml::revisiting {
namespace {

class Lifted final : public Loss {
 public:
  struct Options {
    double neg_margin = 1;
    double l2 = 0.005;
    static constexpr std::tuple fields{
        field("neg_margin", &Options::neg_margin, "how far negatives are pushed", {0, 1e6}),
        field("l2", &Options::l2, "weight of the mean length of the embeddings", {0, 1e6})};
  };
  Lifted(const Options& options, const Setup&) : options_(options) {}
  Var operator()(const Batch& batch) override {
    refuse_reference(batch);
    return lifted(batch.embedding, batch.labels, options_.neg_margin, options_.l2);
  }

 private:
  Options options_;
};

class Npair final : public Loss {
 public:
  struct Options {
    double l2 = 0.005;
    double divisor = 1;
    static constexpr std::tuple fields{
        field("l2", &Options::l2, "weight of the mean length of the embeddings", {0, 1e6}),
        field("divisor", &Options::divisor, "of the embeddings; published: 4 with bn_inception",
              {1e-6, 1e6})};
  };
  Npair(const Options& options, const Setup&) : options_(options) {}
  Var operator()(const Batch& batch) override {
    refuse_reference(batch);
    return npair(batch.embedding, mine_sets(batch.embedding, batch.labels, batch.random),
                 options_.l2, options_.divisor);
  }

 private:
  Options options_;
};

class Angular final : public Loss {
 public:
  struct Options {
    double alpha = 45;
    double npair_ang_weight = 2;
    double l2 = 0.005;
    static constexpr std::tuple fields{
        field("alpha", &Options::alpha, "largest angle at the negative, degrees", {0, 89}),
        field("npair_ang_weight", &Options::npair_ang_weight, "weight of the angular term",
              {0, 1e6}),
        field("l2", &Options::l2, "weight of the mean length of the embeddings", {0, 1e6})};
  };
  Angular(const Options& options, const Setup&) : options_(options) {}
  Var operator()(const Batch& batch) override {
    refuse_reference(batch);
    return angular(
        batch.embedding, mine_sets(batch.embedding, batch.labels, batch.random),
        {.alpha = options_.alpha, .weight = options_.npair_ang_weight, .l2 = options_.l2});
  }

 private:
  Options options_;
};

class Multisimilarity final : public Loss {
 public:
  struct Options {
    double pos_weight = 2;
    double neg_weight = 40;
    double margin = 0.1;
    double thresh = 0.5;
    static constexpr std::tuple fields{
        field("pos_weight", &Options::pos_weight, "scale of positives", {1e-6, 1e6}),
        field("neg_weight", &Options::neg_weight, "scale of negatives", {1e-6, 1e6}),
        field("margin", &Options::margin, "of its own mining", {0, 2}),
        field("thresh", &Options::thresh, "similarity between the sides", {-2, 2})};
  };
  Multisimilarity(const Options& options, const Setup&) : options_(options) {}
  Var operator()(const Batch& batch) override {
    refuse_reference(batch);
    return multisimilarity(batch.embedding, batch.labels,
                           {.positive = options_.pos_weight,
                            .negative = options_.neg_weight,
                            .margin = options_.margin,
                            .threshold = options_.thresh});
  }

 private:
  Options options_;
};

class Histogram final : public Loss {
 public:
  struct Options {
    std::int64_t bins = 65;
    static constexpr std::tuple fields{field(
        "bins", &Options::bins, "nodes of the histograms; published: 65, on SOP 11", {2, 65536})};
  };
  Histogram(const Options& options, const Setup&) : options_(options) {}
  Var operator()(const Batch& batch) override {
    refuse_reference(batch);
    return histogram(batch.embedding, batch.labels, options_.bins);
  }

 private:
  Options options_;
};

const Register<Loss, Lifted> lifted_loss{{
    .name = "revisiting_lifted",
    .summary = "generalised lifted structure, as in Revisiting-DML",
    .paper = paper,
    .details = "embeddings as they come (head.normalize none). Learning rate 1e-5. Use it to "
               "repeat the study; generalized_lifted_structure for new work.",
}};
const Register<Loss, Npair> npair_loss{{
    .name = "revisiting_npair",
    .summary = "n-pair loss with a random positive for every image, as in Revisiting-DML",
    .paper = paper,
    .details = "embeddings as they come (head.normalize none). Learning rate 1e-5. Use it to "
               "repeat the study; n_pairs for new work.",
}};
const Register<Loss, Angular> angular_loss{{
    .name = "revisiting_angular",
    .summary = "angular loss beside an n-pair loss, as in Revisiting-DML",
    .paper = paper,
    .details = "embeddings as they come (head.normalize none). Learning rate 1e-5. Use it to "
               "repeat the study; angular is the same idea for new work.",
}};
const Register<Loss, Multisimilarity> multisimilarity_loss{{
    .name = "revisiting_multisimilarity",
    .summary = "multi-similarity with its own mining, as in Revisiting-DML",
    .paper = paper,
    .details =
        "mean over the anchors that keep a positive and a negative. Learning rate 1e-5, "
        "embeddings of unit length. Use it to repeat the study; multi_similarity for new work.",
}};
const Register<Loss, Histogram> histogram_loss{{
    .name = "revisiting_histogram",
    .summary = "histograms of positive and negative similarities overlap little",
    .paper = "Ustinova and Lempitsky, Learning Deep Embeddings with Histogram Loss, NIPS 2016",
    .details = "as in Revisiting-DML, with exact node positions. Learning rate 1e-5, embeddings "
               "of unit length. Use it to repeat the study; histogram for new work.",
}};

}  // namespace
}  // namespace dml::revisiting

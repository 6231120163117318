#pragma once
#include <cstdint>
#include <string>
#include <tuple>

#include "dml/intra_batch/network.hpp"
#include "engine/schema.hpp"

namespace dml::intra_batch {

/// Everything that may be set of intra-batch connections; the names are those of the published
/// configuration where it has one. Defaults are the published ones for CUB-200-2011.
struct Options {
  std::string terms = "lsce_lsgnn";
  double temperature = 0.2;
  double label_smoothing = 0.1;
  double gamma = 7;
  double margin = 0.5;
  double soft_temp = 1;
  double scaling_ce = 1, scaling_gnn = 1, scaling_center = 0.5, scaling_triplet = 1;
  double scaling_distill = 1, scaling_of_pre = 1, scaling_distance = 0.01;
  std::string teacher;
  std::string output = "plain";
  bool encoder_neck = false;
  std::int64_t num_layers = 1, num_heads = 2, red = 1;
  bool cat = false, every = false, neck = true;
  std::string aggregator = "add";
  bool mlp = true, res1 = true, res2 = true, norm1 = true, norm2 = true, mult_attr = false;
  double dropout_attention = 0.1, dropout_1 = 0.1, dropout_2 = 0.1, dropout_mlp = 0.1;
  std::string sim_type = "correlation", set_negative = "hard", thresh = "no";
  std::string test_mode = "backbone";
  std::int64_t pseudo_images = 7, k1 = 30;

  static constexpr std::tuple fields{
      field("terms", &Options::terms,
            "the terms of the loss, joined by _: ce lsce focalce on the encoder's logits; gnn "
            "lsgnn focalgnn on those of the message passing; center triplet distillSh distillKL "
            "ofpre distance"),
      field("temperature", &Options::temperature, "divides the logits of both classifiers",
            {1e-6, 1e9}),
      field("label_smoothing", &Options::label_smoothing,
            "share of the target that lsce and lsgnn spread over all classes", {0, 1}),
      field("gamma", &Options::gamma, "exponent of the focal terms", {0, 100}),
      field("margin", &Options::margin, "of the term triplet", {0, 1e6}),
      field("soft_temp", &Options::soft_temp, "divides the logits of distillSh and distillKL",
            {1e-6, 1e9}),
      field("scaling_ce", &Options::scaling_ce, "weight of the encoder's classification", {0, 1e6}),
      field("scaling_gnn", &Options::scaling_gnn,
            "weight of the classification behind the message passing", {0, 1e6}),
      field("scaling_center", &Options::scaling_center, "weight of center", {0, 1e6}),
      field("scaling_triplet", &Options::scaling_triplet, "weight of triplet", {0, 1e6}),
      field("scaling_distill", &Options::scaling_distill, "weight of distillSh and distillKL",
            {0, 1e6}),
      field("scaling_of_pre", &Options::scaling_of_pre, "weight of ofpre", {0, 1e6}),
      field("scaling_distance", &Options::scaling_distance, "weight of distance", {0, 1e6}),
      field("teacher", &Options::teacher,
            "a .safetensors file with what a teacher gave for every training image, in their "
            "order: `logits` for distillSh and distillKL, `features` for ofpre and distance"),
      field("output", &Options::output,
            "what the message passing begins with: the embedding normalised (plain) or as it is "
            "(norm), or the neck of the head",
            "plain|norm|neck"),
      field("encoder_neck", &Options::encoder_neck,
            "the encoder's classifier stands behind a neck: no bias, normal 0.001 at first"),
      field("num_layers", &Options::num_layers, "layers of message passing", {1, 64}),
      field("num_heads", &Options::num_heads, "heads of the attention", {1, 1024}),
      field("red", &Options::red, "the message passing has so many times fewer numbers", {1, 1024}),
      field("cat", &Options::cat, "the outputs of all layers, joined, are classified"),
      field("every", &Options::every, "every layer has a classifier of its own"),
      field("neck", &Options::neck, "batch norm without trained bias before the classifier"),
      field("aggregator", &Options::aggregator, "how the messages to a node become one",
            "add|mean|max"),
      field("mlp", &Options::mlp, "a layer has a perceptron; without, its input is added twice"),
      field("res1", &Options::res1, "a layer adds its input to the message"),
      field("res2", &Options::res2, "a layer adds the message to the perceptron's result"),
      field("norm1", &Options::norm1, "layer norm behind the message"),
      field("norm2", &Options::norm2, "layer norm behind the perceptron"),
      field("mult_attr", &Options::mult_attr, "attention is multiplied with the similarity"),
      field("dropout_attention", &Options::dropout_attention,
            "share of attention weights that are dropped; fixed in the published code", {0, 0.99}),
      field("dropout_1", &Options::dropout_1, "share of the message that is dropped", {0, 0.99}),
      field("dropout_2", &Options::dropout_2, "share of the perceptron's result", {0, 0.99}),
      field("dropout_mlp", &Options::dropout_mlp, "share of the perceptron's inner layer",
            {0, 0.99}),
      field("sim_type", &Options::sim_type, "similarity of two images: of the graph's edges",
            "correlation|cosine"),
      field("set_negative", &Options::set_negative,
            "similarities below 0: cut (hard), or the smallest is taken off all (soft)",
            "hard|soft"),
      field("thresh", &Options::thresh,
            "only images more similar than this exchange messages; no: all do"),
      field("test_mode", &Options::test_mode,
            "what retrieval compares: the embedding alone, or (pseudo) the embedding refined by "
            "message passing among its reciprocal neighbours in the test set",
            "backbone|pseudo"),
      field("pseudo_images", &Options::pseudo_images,
            "images that refine one in test_mode pseudo, itself included; published: 7, and 4 "
            "where queries are searched for in a gallery",
            {1, 1024}),
      field("k1", &Options::k1, "neighbours that count in test_mode pseudo", {1, 10000}),
  };

  /// The part that the network is made of.
  NetworkOptions network(DType products = DType::f32) const {
    return {.layers = num_layers,
            .layer = {.heads = num_heads,
                      .aggregator = aggregator,
                      .mult_attr = mult_attr,
                      .mlp = mlp,
                      .res1 = res1,
                      .res2 = res2,
                      .norm1 = norm1,
                      .norm2 = norm2,
                      .products = products},
            .red = red,
            .cat = cat,
            .every = every,
            .neck = neck,
            .graph = {.sim_type = sim_type, .set_negative = set_negative, .thresh = thresh}};
  }
};

}  // namespace dml::intra_batch

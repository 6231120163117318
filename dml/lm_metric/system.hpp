#pragma once
#include <memory>
#include <string>

#include "dml/lm_metric/criteria.hpp"
#include "dml/lm_metric/head.hpp"
#include "dml/loss.hpp"
#include "dml/revisiting/criteria.hpp"

namespace dml::lm {

/// Hyper-parameters of the whole system.
struct SystemOptions {
  HeadOptions head{};
  std::string criterion = "smoothap";  ///< smoothap, margin, proxyanchor, softmax, or another loss
  double policy_weight = 1;            ///< 0: the policy is not trained, as the published code
  std::string policy_terms = "auto";   ///< p, pn; auto: pn for margin, else p
  std::string policy_baseline = "none";  ///< none, batch_mean, ema
  double baseline_decay = 0.9;           ///< of the running mean of rewards
  double nll_weight = 1;
  double tau = 0.01;                   ///< of smoothap
  revisiting::MarginOptions margin{};  ///< of margin
  double beta = 1.2;                   ///< of margin
  bool beta_constant = true;           ///< of margin
  double alpha = 32, delta = 0.1;      ///< of proxyanchor
  double criterion_lr_scale = 100;     ///< of what the criterion learns
};

/// What is random or chosen in a step; what is not given is drawn.
struct StepDraws {
  Draws head{};
  const revisiting::Triplets* first = nullptr;   ///< of the embedding, for margin
  const revisiting::Triplets* second = nullptr;  ///< of the recalled embedding
};

/// The terms of a step.
struct SystemTerms {
  HeadOutput head;
  Var metric;  ///< [] of both embeddings
  Var policy;  ///< [] undefined without policy_weight
  Var reward;  ///< [n] undefined without policy_weight
  Var loss;    ///< [] metric + nll_weight nll + policy_weight policy
};

/// LM-Metric as one function of pooled features and labels: head, criterion and policy gradient
///   policy = mean over samples of -log pi(a) (R - baseline),  R the average precision in the
///   batch.
class System {
 public:
  /// @param setup  features and classes count; the embedding of the net must be its features.
  System(const Loss::Setup& setup, const SystemOptions& options);
  ~System();

  SystemTerms operator()(const Loss::Batch& batch, const StepDraws& draws) const;
  const Head& head() const { return head_; }
  /// What the criterion needs of a batch.
  Requirements requirements() const;

 private:
  Var criterion(const Loss::Batch& batch, const Var& v, const Chosen& positive,
                const Chosen& negative, const revisiting::Triplets* triplets, bool second) const;
  Var margin(const Loss::Batch& batch, const Var& v, const Chosen& positive, const Chosen& negative,
             const revisiting::Triplets* triplets, bool second) const;
  Var advantage(const Var& reward, bool live) const;

  SystemOptions options_;
  Head head_;
  Parameter* learned_ = nullptr;   // beta, class map, or the proxies of the first embedding
  Parameter* learned2_ = nullptr;  // the proxies of the second
  Parameter* reward_mean_ = nullptr;
  std::unique_ptr<Loss> other_;
};

}  // namespace dml::lm

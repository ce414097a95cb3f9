#pragma once
// What a training step asks of a machine, counted from shapes alone: no parameter is made for it.
// The sums are over forward, backward and the optimiser's update, of one rank.
#include <cstdint>
#include <string>
#include <vector>

namespace cellmill::models {

struct StepShape {
  double cells = 0;     ///< of this rank
  double nonzeros = 0;  ///< stored entries a cell
  double ranks = 1;     ///< work that does not depend on the cells is divided over them
  bool on_host = true;  ///< the CPU, or a GPU
  double shares = 1;    ///< that the optimiser's moments and update are cut into
};

struct StepCost {
  double flop = 0;         ///< matrix products in the run's precision; 2 a multiply-add
  double full_flop = 0;    ///< those that stay in float32 whatever it is
  double sparse_flop = 0;  ///< products of the sparse batch with weights
  double moved = 0;        ///< bytes read and written in order: wide matrices, the optimiser
  double summed = 0;       ///< bytes that are summed over ranks
  double resident = 0;     ///< bytes of parameters, gradients, moments
  double working = 0;      ///< bytes that the step itself needs beside them
  double parameters = 0;
};

/// One way to compute the step; all ways give the same losses and gradients but for rounding.
struct StepForm {
  std::string name;
  StepCost cost;
};

struct StepForms {
  std::vector<StepForm> forms;
  std::size_t chosen = 0;  ///< the one that the model takes with its settings
};

}  // namespace cellmill::models

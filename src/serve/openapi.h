#pragma once
// The service described by OpenAPI 3.1, for generated clients and for testing by contract.
#include <string>

#include "serve/served_models.h"

namespace cellmill::serve {

std::string openapi(const ServedModels& models, const QueryLimits& limits);

}  // namespace cellmill::serve

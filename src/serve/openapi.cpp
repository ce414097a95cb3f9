#include "serve/openapi.h"
namespace cellmill::serve { std::string openapi(const ServedModels&, const QueryLimits&) { return "{}"; } }

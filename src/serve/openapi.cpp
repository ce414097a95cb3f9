#include "serve/openapi.h"

#include "io/json.h"

namespace cellmill::serve {
namespace {

constexpr const char* kText = R"json({
"openapi": "3.1.0",
"info": {"title": "cellmill serve", "version": "1",
  "description": "Metadata prediction and generation of expression. Asynchronous: start, ask for the status (held open), download. Synchronous: accept application/vnd.apache.arrow.stream."},
"security": [{"token": []}, {}],
"paths": {
 "/api/models": {"get": {"operationId": "models", "summary": "Models that are loaded", "responses": {
   "200": {"description": "models", "content": {"application/json": {"schema": {"type": "object", "required": ["models"], "properties": {"models": {"type": "array", "items": {"type": "object", "required": ["model_id"], "properties": {"model_id": {"type": "string"}, "model_version": {"type": "string"}, "genes": {"type": "integer"}}}}}}}}},
   "401": {"$ref": "#/components/responses/refused"}}}},
 "/api/models/{model_id}/example-query": {"parameters": [{"$ref": "#/components/parameters/model_id"}], "get": {"operationId": "example_query", "summary": "A query that this model takes", "responses": {
   "200": {"description": "example", "content": {"application/json": {"schema": {"type": "object", "required": ["example_query"], "properties": {"example_query": {"type": "object"}}}}}},
   "401": {"$ref": "#/components/responses/refused"}, "404": {"$ref": "#/components/responses/refused"}}}},
 "/api/models/{model_id}/genes": {"parameters": [{"$ref": "#/components/parameters/model_id"}], "get": {"operationId": "genes", "summary": "Order of the counts", "responses": {
   "200": {"description": "genes", "content": {"application/json": {"schema": {"type": "object", "required": ["gene_order"], "properties": {"gene_order": {"type": "array", "items": {"type": "string"}}}}}}},
   "401": {"$ref": "#/components/responses/refused"}, "404": {"$ref": "#/components/responses/refused"}}}},
 "/api/models/{model_id}/predict": {"parameters": [{"$ref": "#/components/parameters/model_id"}], "post": {"operationId": "predict", "summary": "Start a query, or answer it at once as an Arrow stream",
   "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/query"}}}},
   "responses": {
   "200": {"description": "started, or answered", "content": {
     "application/json": {"schema": {"type": "object", "required": ["modelQueryId"], "properties": {"modelQueryId": {"type": "string"}}}},
     "application/vnd.apache.arrow.stream": {"schema": {"type": "string", "contentMediaType": "application/vnd.apache.arrow.stream"}}}},
   "400": {"$ref": "#/components/responses/invalid"}, "401": {"$ref": "#/components/responses/refused"}, "404": {"$ref": "#/components/responses/refused"},
   "413": {"$ref": "#/components/responses/invalid"}, "415": {"$ref": "#/components/responses/refused"}, "422": {"$ref": "#/components/responses/invalid"},
   "429": {"$ref": "#/components/responses/later"}, "503": {"$ref": "#/components/responses/later"}}}},
 "/api/model-queries/{query_id}/status": {"parameters": [{"name": "query_id", "in": "path", "required": true, "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"}}], "get": {"operationId": "status", "summary": "State of a query; held open while it is not finished", "responses": {
   "200": {"description": "state", "content": {"application/json": {"schema": {"type": "object", "required": ["status"], "properties": {"status": {"enum": ["running", "ready", "failed"]}, "downloadUrl": {"type": "string"}, "message": {"type": "string"}}}}}},
   "400": {"$ref": "#/components/responses/refused"}, "401": {"$ref": "#/components/responses/refused"}, "404": {"$ref": "#/components/responses/refused"}}}},
 "/download/{link}.json": {"parameters": [{"name": "link", "in": "path", "required": true, "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"}}], "get": {"operationId": "download", "summary": "The answer to a query", "security": [{}], "responses": {
   "200": {"description": "answer", "content": {"application/json": {"schema": {"type": "object", "required": ["gene_order", "model_version", "outputs"], "properties": {"gene_order": {"type": "array", "items": {"type": "string"}}, "model_version": {"type": "string"}, "outputs": {"type": "array", "items": {"type": "object"}}}}}}},
   "404": {"$ref": "#/components/responses/refused"}}}},
 "/healthz": {"get": {"operationId": "healthz", "summary": "The process answers", "security": [{}], "responses": {"200": {"$ref": "#/components/responses/state"}}}},
 "/readyz": {"get": {"operationId": "readyz", "summary": "Queries are taken", "security": [{}], "responses": {"200": {"$ref": "#/components/responses/state"}, "503": {"$ref": "#/components/responses/later"}}}},
 "/metrics": {"get": {"operationId": "metrics", "summary": "Prometheus", "responses": {"200": {"description": "metrics", "content": {"text/plain": {"schema": {"type": "string"}}}}, "401": {"$ref": "#/components/responses/refused"}}}}
},
"components": {
 "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
 "parameters": {"model_id": {"name": "model_id", "in": "path", "required": true, "schema": {"type": "string", "enum": []}}},
 "responses": {
  "state": {"description": "state", "content": {"application/json": {"schema": {"type": "object", "required": ["status"], "properties": {"status": {"type": "string"}}}}}},
  "refused": {"description": "refused", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/error"}}}},
  "invalid": {"description": "wrong, field by field", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/error"}}}},
  "later": {"description": "not now", "headers": {"Retry-After": {"schema": {"type": "integer"}}}, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/error"}}}}},
 "schemas": {
  "error": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}, "errors": {"type": "array", "items": {"type": "object", "required": ["path", "message"], "properties": {"path": {"type": "string"}, "message": {"type": "string"}}}}}},
  "query": {"type": "object", "required": ["inputs"], "additionalProperties": false, "properties": {
    "inputs": {"type": "array", "minItems": 1, "items": {"type": "object", "additionalProperties": false, "properties": {
       "counts": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 16777216}, "description": "one a gene, in the model's order"},
       "metadata": {"type": "object", "additionalProperties": {"type": ["string", "number", "null"]}},
       "num_samples": {"type": "integer", "minimum": 1}}}},
    "seed": {"type": ["integer", "null"]}, "source": {"type": "string"},
    "sampling_strategy": {"enum": ["mean estimation", "sample generation"]},
    "conditioning": {"type": "array", "items": {"enum": ["biological", "technical", "perturbation"]}},
    "total_count": {"type": "integer", "minimum": 1, "maximum": 1000000000},
    "fixed_total_count": {"type": "boolean"}, "deterministic_latents": {"type": "boolean"}}}}
}})json";

}  // namespace

std::string openapi(const ServedModels& models, const QueryLimits& limits) {
  io::Json api = io::Json::parse(kText);
  io::Json& parts = api["components"];
  io::Json& ids = parts["parameters"]["model_id"]["schema"]["enum"];
  for (const Offer& offer : models.offers()) ids.push_back(offer.id);
  io::Json& inputs = parts["schemas"]["query"]["properties"]["inputs"];
  inputs["maxItems"] = limits.samples;
  inputs["items"]["properties"]["num_samples"]["maximum"] = limits.samples;
  return api.dump();
}

}  // namespace cellmill::serve

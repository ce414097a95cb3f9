#pragma once
// The page at "/": a person drops counts (CSV or .h5ad) and sees the predicted labels. Its files
// are those of serve/page as they stand there: no build chain, nothing from elsewhere.
#include <string_view>

#include "serve/http.h"

namespace cellmill::serve {

struct PageFile {
  std::string_view path, content_type, text;
};

/// The file at that address; nullptr: none.
const PageFile* page_file(std::string_view path);

/// With a content security policy: scripts and requests of this service only.
Response page_answer(const PageFile& file);

}  // namespace cellmill::serve

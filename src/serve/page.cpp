#include "serve/page.h"

namespace cellmill::serve {

// The build makes them of serve/page (src/CMakeLists.txt).
extern const std::string_view kPageHtml, kPageCss, kPageJs, kBytesJs, kHdf5Js, kH5adJs;

const PageFile* page_file(std::string_view path) {
  constexpr const char* kScript = "text/javascript; charset=utf-8";
  static const PageFile files[] = {{"/", "text/html; charset=utf-8", kPageHtml},
                                   {"/page.css", "text/css; charset=utf-8", kPageCss},
                                   {"/page.js", kScript, kPageJs},
                                   {"/bytes.js", kScript, kBytesJs},
                                   {"/hdf5.js", kScript, kHdf5Js},
                                   {"/h5ad.js", kScript, kH5adJs}};
  for (const PageFile& file : files)
    if (file.path == path) return &file;
  return nullptr;
}

Response page_answer(const PageFile& file) {
  Response response;
  response.content_type = file.content_type;
  response.headers.emplace_back(
      "Content-Security-Policy",
      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri "
      "'none'; form-action 'none'; frame-ancestors 'none'");
  response.headers.emplace_back("Referrer-Policy", "no-referrer");
  response.add(std::string(file.text));
  return response;
}

}  // namespace cellmill::serve

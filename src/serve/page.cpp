#include "serve/page.h"
namespace cellmill::serve { std::string page() { return "<html></html>"; } }

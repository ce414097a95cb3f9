#pragma once
// The page at "/": a person drops a table of counts and sees the predicted labels. One HTML file,
// no build chain, nothing from elsewhere.
#include <string>

namespace cellmill::serve {

std::string page();

}  // namespace cellmill::serve

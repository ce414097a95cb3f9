#include "comm/warnings.h"

#include <catch2/catch.hpp>

#include "base/warnings.h"
#include "comm/solo_communicator.h"

using namespace cellmill;

CATCH_TEST_CASE("ranks in words", "[warnings]") {
  CATCH_CHECK(comm::ranks_in_words({3}) == "rank 3");
  CATCH_CHECK(comm::ranks_in_words({1, 2}) == "ranks 1, 2");
  CATCH_CHECK(comm::ranks_in_words({1, 2, 3, 7, 9, 10, 11}) == "ranks 1 to 3, 7, 9 to 11");
}

CATCH_TEST_CASE("alone there is nobody to speak for", "[warnings]") {
  comm::SoloCommunicator world;
  log::take_warnings();
  comm::SharedWarnings().share(world);
  CATCH_CHECK(log::take_warnings().empty());
}

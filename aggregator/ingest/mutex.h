// See lib/base/mutex.h.
#pragma once

#include "lib/base/mutex.h"

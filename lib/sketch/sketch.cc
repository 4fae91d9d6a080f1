#include "lib/sketch/sketch.h"

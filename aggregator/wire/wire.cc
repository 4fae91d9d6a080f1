#include "aggregator/wire/wire.h"

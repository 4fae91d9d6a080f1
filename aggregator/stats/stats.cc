#include "aggregator/stats/stats.h"

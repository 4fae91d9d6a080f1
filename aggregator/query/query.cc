#include "aggregator/query/query.h"

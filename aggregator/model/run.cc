#include "aggregator/model/run.h"

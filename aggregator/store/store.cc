#include "aggregator/store/store.h"

#include "aggregator/ingest/committer.h"

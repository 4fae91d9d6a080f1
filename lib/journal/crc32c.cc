#include "lib/journal/journal.h"

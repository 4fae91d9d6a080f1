// What is asked of the heap beyond malloc and free. The aggregator is linked with jemalloc where it was built with it:
// runs are made by one thread, kept by another and let go by a third, which the C library's heap answers with waiting
// threads under load, and with memory that it keeps afterwards.
#pragma once

namespace kleptometrics::aggregator {

// Before there are threads.
void prepare_heap();
// Gives the system back what is free. Any thread; takes some milliseconds.
void give_memory_back();

}  // namespace kleptometrics::aggregator

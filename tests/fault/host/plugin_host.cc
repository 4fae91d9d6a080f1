// A program that knows nothing of the library, but loads a plug-in that does, and unloads it: argv[1], some times over.
#include <dlfcn.h>

int main(int argc, char** argv) {
  for (int i = 0; argc > 1 && i < 3; ++i) {
    void* const plugin = ::dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (plugin == nullptr) return 2;
    auto* const record = reinterpret_cast<void (*)()>(::dlsym(plugin, "record_a_run"));
    if (record == nullptr) return 3;
    record();
    if (::dlclose(plugin) != 0) return 4;
  }
  return 0;
}

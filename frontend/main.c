#include <stdlib.h>

#include "base/memory.h"
#include "frontend.h"

int main(int argc, char **argv)
{
    struct frontend *frontend = memory_new(sizeof(*frontend));
    struct daemon_spec spec = frontend_spec;
    struct daemon *daemon;

    spec.options = frontend_options;
    spec.config = &frontend->config;
    daemon = daemon_start(&spec, frontend, argc, argv);
    frontend_init(frontend, daemon);
    daemon_run(daemon);
    frontend_deinit(frontend);
    daemon_stop(&daemon);
    memory_free(&frontend);
    return EXIT_SUCCESS;
}

#include <stdlib.h>

#include "base/memory.h"
#include "options.h"
#include "start.h"

int main(int argc, char **argv)
{
    struct frontend *frontend = memory_new(sizeof(*frontend));
    const struct daemon_spec spec = {
        .kind = "frontend",
        .service = SERVICE_NONE,
        .options = frontend_options,
        .config = &frontend->config,
        .node_event = frontend_on_node_event,
        .bus = {.pressure = frontend_on_pressure},
        .drain = frontend_on_drain,
        .tick = frontend_on_tick,
    };

    frontend->daemon = daemon_start(&spec, frontend, argc, argv);
    frontend_init(frontend);
    daemon_run(frontend->daemon);
    frontend_deinit(frontend);
    daemon_stop(&frontend->daemon);
    memory_free(&frontend);
    return EXIT_SUCCESS;
}

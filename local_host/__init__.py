"""Runs the function folders on this machine, in place of Azure Functions Core Tools.

For development, tests and benchmarks; production is the real host. Where things are:

    configuration/  host.json and local.settings.json
    functions/      */function.json -> a checked Python callable -> one call of it
    bindings/       what every binding means, and where its values go
    web/            HTTP: routes, limits, pages, /admin
    queues/         queue triggers: fetch, run, settle
    signalr/        messages to browsers, by an emulator or by Azure SignalR Service
    processes/      the parent, its worker processes, and what they share

One process polls, whatever the number of workers: it fetches messages, keeps them hidden while they
run, hands each to the least busy worker and writes what comes out. So the limits of host.json hold
for the whole host, every browser hears every result, and a worker that dies takes no message with
it: those that it had are released at once.
"""

"""Runs the function folders on this machine, as a stand-in for Azure Functions Core Tools.

For development, tests and benchmarks; production is the real host. How it is laid out:

    __main__.py        arguments -> configuration -> supervisor
    config.py          what one run of the host is made of; handed to every worker process
    settings_file.py   local.settings.json        host_file.py   host.json
    function_table.py  */function.json -> Function records
    loader.py          Function -> a checked Python callable, by the rules of Microsoft's worker
    routes.py          ASP.NET route templates; which function answers a request
    convert.py         ASGI request -> HttpRequest, HttpResponse -> ASGI response
    invoke.py          one call of one function: thread or loop, time limit, console lines
    server.py          the web application     admin.py  /admin/…
    pages.py           frontend/               pictures.py  the folder of --pictures
    worker.py          loads and serves: one for each process
    supervisor.py      the parent: keeps the workers alive
    child.py           a worker process as the parent sees it      crew.py   who gets a call
    worker_process.py  what a worker process runs, and its end of the pipe
    pinning.py         a core for each worker
    services.py        what there is one of for all workers
    console.py         lines in the manner of ``func start``

Queues and SignalR, from the bindings to the wire:

    wiring.py          what every binding means: queue_bindings.py, storage_account.py
    inputs.py          a value for ``signalRConnectionInfo``     hubs.py   which SignalR service
    outputs.py         what a function gave -> what is to be written (delivery.py)
    queue_listener.py  looks into a queue (backoff.py) and keeps what it fetched hidden
    queue_processor.py has the function called (runner.py), then settles the message
    queue_lease.py     one message that is ours      queue_message.py  as the function gets it
    queue_settings.py  host.json's ``extensions.queues``
    storage.py         the service over HTTP         storage_watch.py  tells when it is lost
    signalr.py         SignalR: connection info, the real service, the stand-in for it

One process polls, whatever the number of workers: it fetches messages, keeps them hidden while they
run, hands each to the least busy worker and writes what comes out. So the limits of host.json hold
for the whole host, every browser hears every result, and a worker that dies takes no message with
it: those that it had are released at once.
"""

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
    server.py          the web application     admin.py  /admin/…     pages.py  frontend/
    worker.py          loads and serves: one for each process
    worker.py          loads and serves: one for each process
    supervisor.py      the parent: owns the workers, and whatever else must be single
    child.py           a worker process as the parent sees it
    worker_process.py  what a worker process runs
    console.py         lines in the manner of ``func start``
"""

# The function app in a container: the same folders that `func azure functionapp publish` packs.
#
#     docker build -f deploy/container/functions.Dockerfile -t image-classifier .
#
# --build-arg ENGINE=onnx leaves TensorFlow out (1.5 GB), for when every model has a model.onnx;
# tensorflow and tflite leave the others out in the same way. docs/releasing.md pins the base image.
# Microsoft builds this base image for x86-64 only; docs/deploy.md says what to do on Arm.
FROM mcr.microsoft.com/azure-functions/python:4-python3.13

ENV AzureWebJobsScriptRoot=/home/site/wwwroot \
    AzureFunctionsJobHost__Logging__Console__IsEnabled=true \
    FUNCTIONS_WORKER_RUNTIME=python \
    # Above 1024, so that no root is needed to listen.
    ASPNETCORE_URLS=http://+:8080 \
    # Both as in local.settings.json.example, where they are explained.
    PYTHON_THREADPOOL_THREAD_COUNT=32 \
    FUNCTIONS_REQUEST_BODY_SIZE_LIMIT=29360128 \
    # For base images with Python 3.11 or 3.12; the worker of 3.13 ignores it. The
    # older worker imports its own protobuf 4.25 before the app, and TensorFlow 2.21, which wants
    # 6.31, then cannot be imported. Compose and Kubernetes take the setting from here.
    PYTHON_ISOLATE_WORKER_DEPENDENCIES=1

# Packages first: they change less often than the code, and Docker keeps the layer.
ARG ENGINE=auto
WORKDIR /tmp/packages
COPY requirements.txt tools/bootstrap/lock_file.py ./
RUN python lock_file.py requirements.txt --engine "$ENGINE" \
    && python -m pip install --no-cache-dir --require-hashes -r requirements.txt

# functions.Dockerfile.dockerignore chooses the files; the health check is moved out, for
# a function app has no folder of that name. Modules are compiled here: the user that runs them may not write.
WORKDIR /home/site/wwwroot
COPY . ./
RUN mv deploy/container/healthcheck.py /healthcheck.py \
    && rm -r deploy tools \
    && python -m compileall -q .

# The host keeps keys, logs and data in files, and makes the folders itself only as root.
RUN useradd --uid 10001 --create-home classifier \
    && mkdir -p /azure-functions-host/Secrets /home/LogFiles /home/data \
    && chown -R classifier /azure-functions-host/Secrets /home/LogFiles /home/data
USER 10001
EXPOSE 8080

# TensorFlow's first import on a cold disk can take half a minute. No key of API_KEYS, no health.
HEALTHCHECK --interval=30s --timeout=10s --start-period=90s \
    CMD ["python", "/healthcheck.py", "http://127.0.0.1:8080/api/status"]

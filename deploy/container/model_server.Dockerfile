# The model server in a container: TensorFlow Serving's API over gRPC (8500) and REST (8501).
#
#     docker build -f deploy/container/model_server.Dockerfile -t model-server .
#     docker run -p 8500:8500 -p 8501:8501 -e API_KEYS=choose-a-long-one model-server
#
# MODEL_NAME and MODEL_BASE_PATH as in TensorFlow Serving's image, and so are arguments after the
# image's name. `--target mounted` bakes no model in; mount one:
#     -v "$PWD/models/pets:/models/pets:ro" -e MODEL_NAME=pets
# --build-arg ENGINE=onnx leaves TensorFlow out (1.5 GB), for when every model has a model.onnx;
# tensorflow and tflite leave the others out in the same way. docs/releasing.md pins the base image.
FROM python:3.13-slim AS packages

ARG ENGINE=auto
WORKDIR /build
COPY requirements.txt tools/bootstrap/lock_file.py ./
COPY model_server/requirements.txt ./model_server/
RUN python lock_file.py requirements.txt --engine "$ENGINE" \
    && python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --require-hashes \
        -r requirements.txt -r model_server/requirements.txt


FROM python:3.13-slim AS mounted

COPY --from=packages /venv /venv
WORKDIR /app
COPY image_classifier ./image_classifier
COPY model_server ./model_server
COPY deploy/container/model_server.sh deploy/container/healthcheck.py ./
# Compiled here: the user that runs them may not write.
RUN useradd --uid 10001 --no-create-home classifier \
    && chmod 755 model_server.sh \
    && /venv/bin/python -m compileall -q .

ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    MODEL_NAME=model \
    MODEL_BASE_PATH=/models
USER 10001
EXPOSE 8500 8501

HEALTHCHECK --interval=30s --timeout=10s --start-period=60s \
    CMD ["python", "/app/healthcheck.py", "http://127.0.0.1:8501/v1/models/{MODEL_NAME}"]
ENTRYPOINT ["/app/model_server.sh"]


FROM mounted AS baked

ARG MODEL=digits
ENV MODEL_NAME=$MODEL
COPY models/$MODEL /models/$MODEL

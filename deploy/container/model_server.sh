#!/bin/sh
# Starts the model server in its container: TensorFlow Serving's two variables, as flags. `exec`, so
# that the server itself gets the signal to stop, and its exit status is the container's.
set -eu

if [ -z "${API_KEYS:-}${ALLOW_ANONYMOUS:-}" ]; then
    echo "Only this container itself can ask: set API_KEYS to one or more keys, or ALLOW_ANONYMOUS" \
        "to true for everybody (docker run -e API_KEYS=…)." >&2
fi

for argument in "$@"; do
    case "$argument" in
    # Several models, or one at another place: the two variables have no effect then.
    --model_config_file | --model_config_file=* | --model_base_path | --model_base_path=*)
        exec python -m model_server --port=8500 --rest_api_port=8501 "$@"
        ;;
    esac
done
exec python -m model_server --port=8500 --rest_api_port=8501 \
    --model_name="${MODEL_NAME:-model}" \
    --model_base_path="${MODEL_BASE_PATH:-/models}/${MODEL_NAME:-model}" "$@"

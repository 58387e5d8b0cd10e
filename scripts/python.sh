# Finds the Python that runs the set-up, goes to the top of the project and sets `python`. Sourced by the commands.
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# A relative folder means the folder of the person who typed it, not ours.
for name in DATA_DIR MEDIA_DIR; do
    value=${!name:-}
    if [[ -n $value && $value != /* ]]; then export "$name=$PWD/$value"; fi
done
cd "$top"

python=""
for candidate in .venv/bin/python python3 python3.11 python3.12 python3.13 python3.14 /usr/bin/python3; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [[ -z $python ]]; then
    echo "Python 3.11 or newer is needed. On Debian or Ubuntu: sudo apt-get install python3" >&2
    exit 1
fi

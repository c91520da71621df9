# What both harnesses that are shells answer with; stands before each of them. They set
# `mark`, `here`, `list`, `asked`, `tab` and `nl`.

# quoted TEXT: as a JSON string. No word of ours that is quoted holds other control characters than these.
quoted() {
  printf '%s' "$1" | sed -e 's/[\\"]/\\&/g' -e "s/$tab/\\\\t/g" | awk 'NR > 1 { printf "\\n" } { printf "%s", $0 }'
}

# answer ERROR: an object, or nothing. Without files it takes no process, of which there may be no more to be had.
answer() {
  printf '%s' "$mark" >&4
  if [ ! "$asked" ]; then
    printf '%s' "$mark $((12 + ${#1}))$nl{\"files\":[]$1}" >&3
    exit 0
  fi
  length=0 each=
  IFS=$nl
  set -f
  for path in $asked; do
    size=-
    case $path in
    /* | .. | ../* | */.. | */../*) ;;
    *)
      case $(readlink -f -- "$here/$path") in
      "$here"/*) [ -f "$here/$path" ] && size=$(wc -c <"$here/$path") || size=- ;;
      esac
      ;;
    esac
    case $size in
    -) length=$((length + 5)) ;;
    *) length=$((length + (size + 2) / 3 * 4 + 3)) ;;
    esac
    each=$each$size$nl
  done
  {
    printf '%s' "$mark $((length + ${#1} + 11))$nl{\"files\":["
    comma=
    for path in $asked; do
      printf '%s' "$comma"
      comma=,
      size=${each%%"$nl"*} each=${each#*"$nl"}
      case $size in
      -) printf 'null' ;;
      *)
        printf '"'
        head -c "$size" <"$here/$path" | base64 -w 0
        printf '"'
        ;;
      esac
    done
    printf '%s' "]$1}"
  } >&3
  exit 0
}

# write_files: what comes with the order, into the working directory.
write_files() {
  IFS=' '
  rest=$list
  while [ "$rest" ]; do
    line=${rest%%"$nl"*} rest=${rest#*"$nl"}
    head -c "${line%% *}" >"./${line#* }" || {
      asked=
      answer ",\"error\":{\"kind\":\"exit\",\"message\":\"its input file $(quoted "${line#* }") could not be written\"}"
    }
  done
}


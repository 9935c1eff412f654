using System.Text;

namespace Overlay.Daemon.Cli;

/// <summary>
/// Completion scripts for three shells, written out from the command tree. Commands and options are in the script; only
/// names (of networks, nodes, …) are asked for while completing, by the hidden command <c>__complete KIND</c>.
/// </summary>
internal static class CompletionScript
{
    /// <summary>The hidden command that prints names.</summary>
    public const string NamesCommand = "__complete";

    public static string Bash(IReadOnlyList<CompletionNode> nodes)
    {
        StringBuilder script = new();
        script.Append("# bash completion for overlayd; install as /usr/share/bash-completion/completions/overlayd\n");
        AppendTables(script, nodes);
        script.Append("""
            _overlayd() {
                local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
                COMPREPLY=()
                __overlayd_at "$COMP_CWORD" "${COMP_WORDS[@]}"
                if [[ -n $__overlayd_choices ]]; then
                    COMPREPLY=($(compgen -W "$__overlayd_choices" -- "$cur"))
                elif [[ $__overlayd_value == 1 ]]; then
                    COMPREPLY=($(compgen -f -- "$cur"))
                elif [[ $cur == -* ]]; then
                    COMPREPLY=($(compgen -W "$__overlayd_options" -- "$cur"))
                elif [[ -n $__overlayd_commands ]]; then
                    COMPREPLY=($(compgen -W "$__overlayd_commands" -- "$cur"))
                elif [[ -n $__overlayd_kind ]]; then
                    COMPREPLY=($(compgen -W "$(overlayd __complete "$__overlayd_kind" 2>/dev/null)" -- "$cur"))
                fi
            }
            complete -F _overlayd overlayd

            """);
        return script.ToString();
    }

    public static string Zsh(IReadOnlyList<CompletionNode> nodes)
    {
        StringBuilder script = new();
        script.Append("#compdef overlayd\n# zsh completion for overlayd; install as _overlayd in a folder of $fpath\n");
        AppendTables(script, nodes);
        script.Append("""
            _overlayd() {
                emulate -L zsh -o ksh_arrays -o sh_word_split
                local cur=${words[CURRENT-1]}
                __overlayd_at $((CURRENT-1)) "${words[@]}"
                if [[ -n $__overlayd_choices ]]; then
                    compadd -- $__overlayd_choices
                elif [[ $__overlayd_value == 1 ]]; then
                    _files
                elif [[ $cur == -* ]]; then
                    compadd -- $__overlayd_options
                elif [[ -n $__overlayd_commands ]]; then
                    compadd -- $__overlayd_commands
                elif [[ -n $__overlayd_kind ]]; then
                    compadd -- $(overlayd __complete "$__overlayd_kind" 2>/dev/null)
                fi
            }
            compdef _overlayd overlayd

            """);
        return script.ToString();
    }

    public static string Fish(IReadOnlyList<CompletionNode> nodes)
    {
        StringBuilder script = new();
        script.Append("# fish completion for overlayd; install as ~/.config/fish/completions/overlayd.fish\n");
        script.Append("complete -c overlayd -f\n");
        AppendFishPath(script, nodes);
        foreach (CompletionNode node in nodes)
        {
            string at = $"complete -c overlayd -n '__overlayd_at \"{node.Path}\"'";
            foreach (CompletionWord command in node.Commands)
            {
                Line(script, $"{at} -a {command.Word} -d {Quote(command.Help)}");
            }

            foreach (CompletionWord option in node.Switches)
            {
                Line(script, $"{at} {FishName(option.Word)} -d {Quote(option.Help)}");
            }

            foreach (CompletionOption option in node.Valued)
            {
                string values = option.Choices.Count > 0 ? $" -x -a {Quote(string.Join(' ', option.Choices))}" : " -r";
                Line(script, $"{at} {FishName(option.Name)}{values} -d {Quote(option.Help)}");
            }

            foreach (NameKind kind in node.Names.Distinct().Where(static k => k != NameKind.None))
            {
                Line(script, $"{at} -a '(overlayd {NamesCommand} {KindWord(kind)} 2>/dev/null)'");
            }
        }

        return script.ToString();
    }

    public static string KindWord(NameKind kind) => kind == NameKind.None ? "" : kind.ToString().ToLowerInvariant();

    /// <summary>
    /// A shell function that bash and zsh both understand: finds the command that the words before the cursor name, and
    /// sets what may follow.
    /// </summary>
    private static void AppendTables(StringBuilder script, IReadOnlyList<CompletionNode> nodes)
    {
        script.Append("""
            __overlayd_node() {
                __overlayd_commands= __overlayd_options= __overlayd_valued= __overlayd_kinds= __overlayd_repeats=
                case $1 in

            """);
        foreach (CompletionNode node in nodes)
        {
            IEnumerable<string> options = node.Switches.Select(static s => s.Word)
                .Concat(node.Valued.Select(static o => o.Name));
            string kinds = string.Join(' ', node.Names.Select(static k => k == NameKind.None ? "-" : KindWord(k)));
            Line(script, $"    '{node.Path}')");
            Line(script, $"        __overlayd_commands='{Join(node.Commands.Select(static c => c.Word))}'");
            Line(script, $"        __overlayd_options='{Join(options)}'");
            Line(script, $"        __overlayd_valued=' {Join(node.Valued.Select(static o => o.Name))} '");
            Line(script, $"        __overlayd_kinds='{kinds}' __overlayd_repeats={(node.LastRepeats ? "1" : "")} ;;");
        }

        script.Append("    esac\n}\n__overlayd_choices_of() {\n    __overlayd_choices=\n    case $1 in\n");
        IEnumerable<CompletionOption> chosen = nodes.SelectMany(static n => n.Valued)
            .Where(static o => o.Choices.Count > 0).DistinctBy(static o => o.Name);
        foreach (CompletionOption option in chosen)
        {
            Line(script, $"    {option.Name}) __overlayd_choices='{Join(option.Choices)}' ;;");
        }

        script.Append("    esac\n}\n");
        script.Append("""
            __overlayd_at() {
                local cursor=$1 i=1 word= path= position=0 kind=
                shift
                __overlayd_choices= __overlayd_value= __overlayd_kind=
                __overlayd_node ''
                shift
                while [ "$i" -lt "$cursor" ]; do
                    word=$1
                    shift
                    i=$((i+1))
                    case $word in
                    -*=*) ;;
                    -*)
                        case $__overlayd_valued in
                        *" $word "*)
                            if [ "$i" -ge "$cursor" ]; then
                                __overlayd_choices_of "$word"
                                __overlayd_value=1
                                return
                            fi
                            shift
                            i=$((i+1)) ;;
                        esac ;;
                    *)
                        case " $__overlayd_commands " in
                        *" $word "*)
                            path="${path:+$path }$word"
                            __overlayd_node "$path" ;;
                        *) position=$((position+1)) ;;
                        esac ;;
                    esac
                done
                i=0
                for kind in $(echo $__overlayd_kinds); do
                    if [ "$i" -eq "$position" ]; then
                        __overlayd_kind=$kind
                        break
                    fi
                    i=$((i+1))
                    if [ -n "$__overlayd_repeats" ]; then
                        __overlayd_kind=$kind
                    fi
                done
                if [ "$__overlayd_kind" = - ]; then
                    __overlayd_kind=
                fi
            }

            """);
    }

    private static void AppendFishPath(StringBuilder script, IReadOnlyList<CompletionNode> nodes)
    {
        string paths = string.Join(' ', nodes.Where(static n => n.Path.Length > 0).Select(static n => Quote(n.Path)));
        string valued = Join(nodes.SelectMany(static n => n.Valued).Select(static o => o.Name).Distinct());
        Line(script, $"set -g __overlayd_paths {paths}");
        Line(script, $"set -g __overlayd_valued {valued}");
        script.Append("""
            function __overlayd_at
                set -l path ''
                set -l skip 0
                for word in (commandline -opc)[2..-1]
                    if test $skip -eq 1
                        set skip 0
                    else if string match -q -- '-*' $word
                        contains -- $word $__overlayd_valued; and set skip 1
                    else
                        set -l longer (string trim -- "$path $word")
                        contains -- $longer $__overlayd_paths; and set path $longer
                    end
                end
                test "$path" = "$argv[1]"
            end

            """);
    }

    private static void Line(StringBuilder script, string line) => script.Append(line).Append('\n');

    private static string FishName(string name) =>
        name.StartsWith("--", StringComparison.Ordinal) ? "-l " + name[2..] : "-s " + name[1..];

    private static string Quote(string text) =>
        "'" + text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal) + "'";

    private static string Join(IEnumerable<string> words) => string.Join(' ', words);
}

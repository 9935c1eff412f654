using System.Text;
using Overlay.Dns;

namespace Overlay.Daemon.Names;

/// <summary>
/// The resolv.conf of sandboxes made by the agent: ip-netns(8) and `overlayd sandbox exec` show
/// /etc/netns/NAME/resolv.conf to programs in place of the host's. A file that somebody else made is never touched.
/// </summary>
/// <param name="root">/etc/netns outside tests.</param>
internal sealed class ResolvConf(string root = ResolvConf.DefaultRoot)
{
    public const string DefaultRoot = "/etc/netns";

    private const string Mark = "# Made by overlayd; removed with the sandbox.";
    private const string FileName = "resolv.conf";

    /// <summary>
    /// What a resolv.conf must say for a sandbox's names to resolve. With ndots:0 every name is first tried as it is,
    /// so that "web" is not sent into the host's search domains before it is looked up here.
    /// </summary>
    public static string Content(ResolverConfiguration host)
    {
        StringBuilder text = new();
        text.Append(Mark).Append('\n').Append("nameserver 127.0.0.11\n");
        if (!host.Search.IsEmpty)
        {
            text.Append("search ").AppendJoin(' ', host.Search).Append('\n');
        }

        return text.Append("options ndots:0\n").ToString();
    }

    public string PathOf(string sandbox)
    {
        bool isName = sandbox.Length is > 0 and <= 200 && sandbox is not ("." or "..")
            && sandbox.AsSpan().IndexOfAny('/', '\0') < 0;
        return isName
            ? Path.Combine(root, sandbox, FileName)
            : throw new NameServerException($"'{sandbox}' is not a sandbox's name; use letters, digits and dashes.");
    }

    /// <summary>Writes the file whole or not at all.</summary>
    /// <returns>False: somebody else's file is there and stays.</returns>
    /// <exception cref="NameServerException">It can not be written.</exception>
    public bool Write(string sandbox, ResolverConfiguration host)
    {
        string path = PathOf(sandbox);
        string content = Content(host);
        try
        {
            string? existing = ReadIfThere(path);
            if (existing is not null && !IsOurs(existing))
            {
                return false;
            }

            if (existing != content)
            {
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                string draft = $"{path}.overlayd";
                File.WriteAllText(draft, content);
                File.Move(draft, path, overwrite: true);
            }

            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new NameServerException($"cannot write {path}: {e.Message}", e);
        }
    }

    /// <summary>Removes our file, and its folder if nothing else is inside. What is not there is removed.</summary>
    /// <exception cref="NameServerException">It can not be removed.</exception>
    public void Remove(string sandbox)
    {
        string path = PathOf(sandbox);
        try
        {
            if (ReadIfThere(path) is not { } existing || !IsOurs(existing))
            {
                return;
            }

            File.Delete(path);
            string folder = Path.GetDirectoryName(path)!;
            if (!Directory.EnumerateFileSystemEntries(folder).Any())
            {
                Directory.Delete(folder);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new NameServerException($"cannot remove {path}: {e.Message}", e);
        }
    }

    /// <summary>Whether the agent made this sandbox: its resolv.conf bears our mark.</summary>
    public bool Made(string sandbox) =>
        !sandbox.Contains('/', StringComparison.Ordinal)
        && ReadIfThere(PathOf(sandbox)) is { } content
        && IsOurs(content);

    private static bool IsOurs(string content) => content.StartsWith(Mark, StringComparison.Ordinal);

    private static string? ReadIfThere(string path)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        using StreamReader reader = new(path);
        char[] text = new char[ResolverConfiguration.MaxText];
        return new(text, 0, reader.ReadBlock(text));
    }
}

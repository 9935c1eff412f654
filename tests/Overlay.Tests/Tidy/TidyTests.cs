using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Overlay.Tests.Tidy;

/// <summary>What analyzers cannot see: the repository checks itself.</summary>
public sealed partial class TidyTests
{
    private const int MaxFileLines = 500;
    private const int MaxLineLength = 160;

    private static string Root { get; } = FindRoot();

    private static IEnumerable<string> Sources => new[] { "src", "tests", "bench" }
        .Select(static f => Path.Combine(Root, f))
        .Where(Directory.Exists)
        .SelectMany(static f => Directory.EnumerateFiles(f, "*.cs", SearchOption.AllDirectories));

    [Fact]
    public void No_source_file_holds_two_ideas() =>
        Assert.Empty(Sources.Where(static f => File.ReadLines(f).Count() > MaxFileLines).Select(Shown));

    [Fact]
    public void No_line_is_out_of_sight() =>
        Assert.Empty(Sources.SelectMany(static f => File.ReadLines(f)
            .Select((line, i) => (line, at: $"{Shown(f)}:{i + 1}")).Where(static l => l.line.Length > MaxLineLength).Select(static l => l.at)));

    [Fact]
    public void Nothing_is_left_to_be_done_by_a_comment() =>
        Assert.Empty(Sources.Where(static f => !f.EndsWith("TidyTests.cs", StringComparison.Ordinal))
            .SelectMany(static f => File.ReadLines(f).Where(static l => Unfinished().IsMatch(l)).Select(l => $"{Shown(f)}: {l.Trim()}")));

    [Fact]
    public void No_check_loses_what_it_reads_from() =>
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(Root, "tests"), "*.sh", SearchOption.AllDirectories)
            .SelectMany(static f => File.ReadLines(f).Where(static l => EarlyEnd().IsMatch(l)).Select(l => $"{Shown(f)}: {l.Trim()}")));

    [Fact]
    public void Event_ids_are_unique()
    {
        string[] twice =
        [
            .. Sources.Where(static f => f.Contains("/src/", StringComparison.Ordinal))
                .SelectMany(static f => EventId().Matches(File.ReadAllText(f)).Select(m => (Id: m.Groups[1].Value, File: Shown(f))))
                .GroupBy(static e => e.Id).Where(static g => g.Count() > 1)
                .Select(static g => $"{g.Key}: {string.Join(", ", g.Select(static e => e.File))}"),
        ];
        Assert.Empty(twice);
    }

    [Fact]
    public void Every_room_says_what_it_depends_on_and_it_is_true()
    {
        List<string> wrong = [];
        foreach (string project in Directory.EnumerateFiles(Path.Combine(Root, "src"), "*.csproj", SearchOption.AllDirectories))
        {
            string readme = Path.Combine(Path.GetDirectoryName(project)!, "README.md");
            if (!File.Exists(readme))
            {
                wrong.Add($"{Shown(project)} has no README.md");
                continue;
            }

            string text = File.ReadAllText(readme);
            int at = text.IndexOf("Depends on: ", StringComparison.Ordinal);
            string paragraph = at < 0 ? "" : text[(at + 12)..].Split("\n\n")[0];
            string joined = paragraph.Replace("\n", " ", StringComparison.Ordinal).Trim().TrimEnd('.');
            IEnumerable<string> stated = joined == "nothing" ? [] : joined.Split(',', StringSplitOptions.TrimEntries);
            IEnumerable<string> real = XDocument.Load(project).Descendants("ProjectReference")
                .Select(static r => Path.GetFileNameWithoutExtension(r.Attribute("Include")!.Value));
            if (!stated.Order(StringComparer.Ordinal).SequenceEqual(real.Order(StringComparer.Ordinal)))
            {
                wrong.Add($"{Shown(readme)} says [{joined}], the project has [{string.Join(", ", real)}]");
            }
        }

        Assert.Empty(wrong);
    }

    private static string Shown(string path) => Path.GetRelativePath(Root, path);

    private static string FindRoot()
    {
        string folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Overlay.sln")))
        {
            folder = Path.GetDirectoryName(folder) ?? throw new DirectoryNotFoundException("the tests run inside the repository");
        }

        return folder;
    }

    [GeneratedRegex(@"\b(TODO|FIXME|HACK|XXX)\b")]
    private static partial Regex Unfinished();

    /// <summary>With <c>pipefail</c>, grep -q ends the writer by SIGPIPE, and the check fails or not as they race: lib.sh has has and lacks.</summary>
    [GeneratedRegex(@"(?<!\|)\|\s*grep -[a-zA-Z]*q")]
    private static partial Regex EarlyEnd();

    [GeneratedRegex(@"EventId = (\d+)")]
    private static partial Regex EventId();
}

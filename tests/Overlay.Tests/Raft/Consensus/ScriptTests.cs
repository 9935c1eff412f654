namespace Overlay.Tests.Raft.Consensus;

/// <summary>
/// Transcripts that a person can read: each command with everything that came of it. A difference that cannot be explained is
/// a bug; OVERLAYD_REWRITE_SCRIPTS=1 writes them anew.
/// </summary>
public sealed class ScriptTests
{
    public static TheoryData<string> Names =>
        [.. Directory.EnumerateFiles(Folder(), "*.txt").Select(static f => Path.GetFileNameWithoutExtension(f)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Names))]
    public void TheTranscriptIsAsItWas(string name)
    {
        string file = Path.Combine(Folder(), name + ".txt");
        string expected = File.ReadAllText(file);
        string actual = ScriptRunner.Run(expected);
        if (Environment.GetEnvironmentVariable("OVERLAYD_REWRITE_SCRIPTS") == "1")
        {
            File.WriteAllText(file, actual);
            return;
        }

        Assert.Equal(expected, actual);
        Assert.Equal(actual, ScriptRunner.Run(actual));
    }

    [Fact]
    public void ThereAreEnough() => Assert.True(Names.Count >= 30);

    private static string Folder()
    {
        string folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Overlay.sln")))
        {
            folder = Path.GetDirectoryName(folder) ?? throw new DirectoryNotFoundException("the tests run inside the repository");
        }

        return Path.Combine(folder, "tests", "Overlay.Tests", "Raft", "Consensus", "Scripts");
    }
}

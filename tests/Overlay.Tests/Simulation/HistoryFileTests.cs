using Overlay.Simulation.Linearizability;
using Overlay.Tests.Daemon;

namespace Overlay.Tests.Simulation;

public sealed class HistoryFileTests
{
    private const string Good =
        """
        # comment
        {"client":"c1","invoke":1,"return":4,"op":"write","key":"a","value":"x","outcome":"ok"}
        {"client":"c2","invoke":2,"return":3,"op":"read","key":"a","value":null,"outcome":"ok"}
        {"client":"c2","invoke":5,"return":6,"op":"cas","key":"a","expected":"x","value":"y","outcome":"ok"}
        {"client":"c3","invoke":5,"return":9,"op":"cas","key":"a","expected":"x","value":"z","outcome":"fail"}
        {"client":"c1","invoke":7,"op":"write","key":"a","value":"w","outcome":"unknown"}
        {"client":"c2","invoke":8,"return":9,"op":"read","key":"a","value":"w","outcome":"ok"}
        {"client":"c2","invoke":8,"return":9,"op":"write","key":"b","value":7,"outcome":"none"}
        {"client":"c2","invoke":10,"return":11,"op":"delete","key":"a","outcome":"ok"}
        {"client":"c2","invoke":12,"return":13,"op":"read","key":"a","outcome":"ok"}
        {"client":"c2","invoke":12,"op":"read","key":"a","outcome":"unknown"}
        """;

    [Theory]
    [InlineData("", 0, "8 operations on 2 keys")]
    [InlineData("""{"client":"c4","invoke":14,"return":15,"op":"read","key":"a","value":"x","outcome":"ok"}""", 1, "(key \"a\")")]
    [InlineData("""{"client":"c4","invoke":14,"return":15,"op":"read","key":"b","value":7,"outcome":"ok"}""", 1, "(key \"b\")")]
    [InlineData("""{"client":"c4","invoke":14,"return":13,"op":"read","key":"b","value":7,"outcome":"ok"}""", 2, "line 12: it returns at 13")]
    [InlineData("""{"client":"c4","invoke":14,"return":15,"op":"append","key":"b","value":7,"outcome":"ok"}""", 2, "op is read, write, cas or delete")]
    [InlineData("""{"client":"c4","invoke":14,"return":15,"op":"read","key":"b","value":7,"outcome":"maybe"}""", 2, "outcome is ok")]
    [InlineData("""{"client":"c4","invoke":14""", 2, "line 12")]
    [InlineData("""{"client":"c4","invoke":14,"return":15,"key":"b","outcome":"ok"}""", 2, "line 12")]
    public void A_file_is_judged(string line, int code, string says)
    {
        using TemporaryFolder folder = new();
        string file = Path.Combine(folder.Path, "history.jsonl");
        File.WriteAllText(file, $"{Good}\n{line}\n");
        using StringWriter output = new();
        Assert.Equal(code, HistoryProgram.Run([file], output));
        Assert.Contains(says, output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_no_file_is_said()
    {
        using StringWriter output = new();
        Assert.Equal(2, HistoryProgram.Run(["/nowhere/history"], output));
        Assert.Equal(2, HistoryProgram.Run([], output));
        Assert.Contains("Usage", output.ToString(), StringComparison.Ordinal);
    }
}

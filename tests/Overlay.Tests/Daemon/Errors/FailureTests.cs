using Overlay.Daemon.Errors;

namespace Overlay.Tests.Daemon.Errors;

public sealed class FailureTests
{
    [Theory]
    [InlineData("cannot x", "y", "do z", "cannot x: y. Do z.")]
    [InlineData("cannot x", "y", "`a b` lists them", "cannot x: y. `a b` lists them.")]
    [InlineData("cannot x", "y; did you mean z?", "", "cannot x: y; did you mean z?")]
    [InlineData("cannot x", "", "Do z.", "cannot x. Do z.")]
    [InlineData("cannot x", "y.", "", "cannot x: y.")]
    [InlineData(
        "The network was not made.",
        "A name is taken.",
        "Type `x`.",
        "the network was not made: a name is taken. Type `x`.")]
    [InlineData("Cannot x.", "VNI 7 is taken.", "", "cannot x: VNI 7 is taken.")]
    [InlineData("", "", "", ".")]
    [InlineData("cannot x", "a\nb\u001b[2J", "", "cannot x: a b [2J.")]
    public void Reads_as_one_line(string what, string why, string next, string sentence) =>
        Assert.Equal(sentence, new Failure(what, why, next, ExitCode.Failure).Sentence);
}

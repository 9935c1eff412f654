using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace Overlay.Dataplane;

/// <summary>A chain, a set or an object of a table, as nft(8) lists it.</summary>
/// <param name="Head">What it is and its name, as <c>chain web</c>.</param>
internal readonly record struct NftPart(string Head, ImmutableArray<string> Lines)
{
    public static NftPart Chain(string name, params ImmutableArray<string> rules) => new($"chain {name}", rules);

    /// <summary>Behind a blank line.</summary>
    public void AppendTo(StringBuilder text)
    {
        text.Append(CultureInfo.InvariantCulture, $"\n\t{Head} {{\n");
        foreach (string line in Lines)
        {
            text.Append(CultureInfo.InvariantCulture, $"\t\t{line}\n");
        }

        text.Append("\t}\n");
    }
}

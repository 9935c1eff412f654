namespace Overlay.Dataplane;

/// <summary>A number that a text has on every node and in every process.</summary>
public static class StableHash
{
    /// <summary>FNV-1a over the text's UTF-16 units.</summary>
    public static ulong Of(string text)
    {
        ulong hash = 14695981039346656037;
        foreach (char c in text)
        {
            hash = (hash ^ c) * 1099511628211;
        }

        return hash;
    }
}

namespace Overlay.Node;

/// <summary>Which names an endpoint may have: RFC 1123 labels, with '_' allowed inside as Docker's users expect.</summary>
public static class DnsName
{
    public const int MaxLabel = 63;

    public static bool IsLabel(string text)
    {
        if (text.Length is 0 or > MaxLabel || !char.IsAsciiLetterOrDigit(text[0]) || !char.IsAsciiLetterOrDigit(text[^1]))
        {
            return false;
        }

        foreach (char c in text)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_'))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>A label made of the last part of a namespace's path, or null where none can be made.</summary>
    public static string? FromSandbox(string sandbox)
    {
        string last = sandbox[(sandbox.LastIndexOf('/') + 1)..].Replace('.', '-').ToLowerInvariant();
        return IsLabel(last) ? last : null;
    }
}

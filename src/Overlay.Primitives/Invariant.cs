using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Overlay.Primitives;

/// <summary>Conditions that only our own bug can break. Checked in every build; a broken one stops the process.</summary>
public static class Invariant
{
    /// <exception cref="InvariantException">The condition does not hold.</exception>
    public static void Holds(
        [DoesNotReturnIf(false)] bool condition,
        string? message = null,
        [CallerArgumentExpression(nameof(condition))] string expression = "")
    {
        if (!condition)
        {
            Broken(message, expression);
        }
    }

    [DoesNotReturn]
    private static void Broken(string? message, string expression) =>
        throw new InvariantException(message is null ? expression : $"{message} ({expression})");
}

/// <summary>An invariant is broken: a programming error, never caught except to report it and stop.</summary>
public sealed class InvariantException(string message) : Exception(message);

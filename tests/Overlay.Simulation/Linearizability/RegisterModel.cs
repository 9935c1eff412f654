namespace Overlay.Simulation.Linearizability;

internal enum RegisterVerb : byte
{
    Read,
    Write,
    Swap,
}

/// <summary>A call of a register: <c>Read</c>, <c>Write value</c>, or <c>Swap expected → value</c> (compare and swap).</summary>
internal readonly record struct RegisterInput(RegisterVerb Verb, long Value, long Expected = 0);

/// <summary>What a register answered: the value read, or whether the swap found what it expected.</summary>
internal readonly record struct RegisterOutput(long Value, bool Swapped = true);

/// <summary>One register that begins with 0.</summary>
internal readonly struct RegisterModel : ISequentialModel<long, RegisterInput, RegisterOutput>
{
    public long Initial => 0;

    public bool TryStep(long state, in RegisterInput input, in RegisterOutput output, bool answered, out long next)
    {
        bool found = input.Verb != RegisterVerb.Swap || state == input.Expected;
        next = input.Verb == RegisterVerb.Read || !found ? state : input.Value;
        return !answered || input.Verb switch
        {
            RegisterVerb.Read => output.Value == state,
            RegisterVerb.Write => true,
            _ => output.Swapped == found,
        };
    }
}

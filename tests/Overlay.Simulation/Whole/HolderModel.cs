using Overlay.Simulation.Linearizability;

namespace Overlay.Simulation.Whole;

internal enum HolderVerb : byte
{
    /// <summary>Who has the address.</summary>
    Look,

    /// <summary>Take it for an endpoint; refused while another one has it.</summary>
    Take,

    /// <summary>Give it back; changes nothing where another one has it.</summary>
    Release,
}

internal readonly record struct HolderInput(HolderVerb Verb, long Endpoint);

/// <param name="Endpoint">Of a look: who has it; 0: nobody.</param>
/// <param name="Taken">Of a take: whether it was given.</param>
internal readonly record struct HolderOutput(long Endpoint, bool Taken = true);

/// <summary>One address that one endpoint at a time can have.</summary>
internal readonly struct HolderModel : ISequentialModel<long, HolderInput, HolderOutput>
{
    public long Initial => 0;

    public bool TryStep(long state, in HolderInput input, in HolderOutput output, bool answered, out long next)
    {
        bool free = state == 0 || state == input.Endpoint;
        next = input.Verb switch
        {
            HolderVerb.Take when free => input.Endpoint,
            HolderVerb.Release when state == input.Endpoint => 0,
            _ => state,
        };
        return !answered || input.Verb switch
        {
            HolderVerb.Look => output.Endpoint == state,
            HolderVerb.Take => output.Taken == free,
            _ => true,
        };
    }
}

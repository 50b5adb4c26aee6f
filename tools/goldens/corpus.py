"""Text that the small tokenizers are trained on. Written for this purpose; what matters is that merges of many lengths arise."""

TEXT = """
The camera stands at the corner of the street. A red car stops, waits for the light, and turns left.
What happened after the red car stopped? A woman with a green umbrella crossed the road.
Describe the picture. Describe this video in detail. What is shown in this image? What is the man holding?
How many people are in the room? There are 3 people in the room, and 12 chairs. It is 10:45 in the morning.
The dog runs across the field, picks up the ball and brings it back. The ball is yellow; the field is wet.
In the first frame the door is closed. In the second frame the door is open. Nobody went through the door.
Who is at the door? I can't see anyone. It's raining. They're waiting. We've seen this before. You'll know.
A watcher of streams says when something begins, when it ends, and what was different before and after.
Answer briefly. Answer with one word. Count the boats on the water from left to right: one, two, three, four.
The boats were moving to the right and the clouds were moving to the left while the birds were standing still.
You are a helpful assistant. User: Hello! Assistant: Hello, how can I help you with the video today?
You are provided the following series of two frames from a 0:00:10 [H:MM:SS] video. Frame from 00:01: Frame from 00:02:
for (let index = 0; index < frames.length; index += 1) { total += frames[index].size; }
def area(width, height): return width * height
Überraschung im Café: naïve Gäste tanzen. Où est la bibliothèque? El niño está aquí. Привет, мир! 你好，世界。こんにちは世界。
Prices: $19.99, 50% off, e-mail someone@example.org, see https://example.org/a/b?c=d&e=f#g. Temperature -4.5 °C.
"""
